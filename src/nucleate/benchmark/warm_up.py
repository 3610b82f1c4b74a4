"""A short search before the first timed one, so that compilation is not charged to any run."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from nucleate.benchmark.experiments import Experiment, experiment_input

FORMULA, MAX_ATOMS = "SrTiO3", 10
POPULATION, STRUCTURES = 10, 40

EVERYTHING = Experiment(
    "warm-up",
    generators=("symmetric", "blocks", "graph-search"),
    is_proxy_first=True,
    description="every generator, every move, every tier",
)


def warm_up() -> str:
    """Search with everything for some seconds and keep nothing; return why it stopped.

    What is compiled at its first call stays on the disk, for other processes too.
    """
    from nucleate.run.predict import predict

    settings = experiment_input(
        EVERYTHING, FORMULA, seed=0, core_time_s=1.0, workers=1, problem={"max_atoms": MAX_ATOMS}
    )
    search = settings.search.model_copy(update={"population": POPULATION, "new_fraction": 0.5})
    stop = settings.stop.model_copy(update={"core_time": None, "structures": STRUCTURES})
    with TemporaryDirectory() as folder:
        short = settings.model_copy(update={"search": search, "stop": stop})
        return predict(short, Path(folder) / "run").reason
