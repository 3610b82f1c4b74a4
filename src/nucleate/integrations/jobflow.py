"""A search as a job of jobflow, for workflows of atomate2, quacc and others.

Example
-------
>>> from nucleate.integrations.jobflow import PredictMaker
>>> from jobflow import Flow, run_locally
>>> job = PredictMaker(model="spp", structures=50).make("NaCl")
>>> flow = Flow([job])  # job.output["structures"][0] is the best structure
>>> run_locally(flow)  # doctest: +SKIP
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nucleate.api.predict import predict
from nucleate.errors import MissingDependencyError

try:
    from jobflow import Maker, job  # pyright: ignore[reportPrivateImportUsage]
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        f"nucleate.integrations.jobflow: {error.name} is not installed. Install it: "
        'pip install "nucleate[jobflow]"'
    ) from error

__all__ = ["PredictMaker"]


@dataclass
class PredictMaker(Maker):
    """Makes jobs that search for the structures of a composition.

    Attributes
    ----------
    name : str
        Of the job.
    best : int
        How many of the best distinct structures are in the output.
    folder : str, optional
        Run folder, continued where it exists; default: ``nucleate`` in the folder of the job.
    model, structures, time, workers, executor
        As in :func:`nucleate.predict`.
    options : dict
        Further arguments of :func:`nucleate.predict`.
    """

    name: str = "nucleate"
    best: int = 10
    folder: str | None = None
    model: Any = None
    structures: int | None = None
    time: str | float | None = None
    workers: int | None = None
    executor: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    @job
    def make(self, problem: str) -> dict[str, Any]:
        """Search, and return what was found.

        Parameters
        ----------
        problem
            A formula, or the path of an input file.

        Returns
        -------
        dict
            ``formula``, ``folder``, ``status`` (:meth:`nucleate.Run.status`), ``structures`` (of
            pymatgen, the best first), ``energies`` (enthalpies by atom, in the same order, in the
            unit ``unit``) and ``tiers`` (what each energy is of).
        """
        folder = Path(self.folder or "nucleate")
        run = predict(
            problem,
            folder=folder,
            model=self.model,
            structures=self.structures,
            time=self.time,
            workers=self.workers,
            executor=self.executor,
            display=False,
            **self.options,
        )
        top = run.top(self.best)
        status = {key: value for key, value in run.status().items() if key != "table"}
        return {
            "formula": run.formula,
            "folder": str(folder.resolve()),
            "status": status,
            "structures": [item.crystal.to_pymatgen() for item in top],
            "energies": [item.relaxed.enthalpy_per_atom for item in top],
            "unit": top[0].relaxed.level.unit if top else "",
            "tiers": [item.tier for item in top],
        }
