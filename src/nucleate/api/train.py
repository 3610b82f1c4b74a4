"""Train learned models on the user's own data."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from nucleate.fitting.wyckoff_language.alignment import Judged


def train_graph_network(
    data: Path, out: Path, *, perturbed: int = 0, label_rest: bool = False, **options: Any
) -> Path:
    """Train a graph network that predicts formation energies; return its file.

    Parameters
    ----------
    data
        parquet, matbench JSON, CSV of CIFs, ASE database, or structures: a file or folder.
    out
        Folder of the training; an existing training is continued.
    perturbed
        Perturbed copies to label with CHGNet and learn from.
    label_rest
        Label training crystals without an energy with CHGNet and learn from them.
    options
        As in :func:`nucleate.fitting.graph_network.fit.train_graph_network`.

    Raises
    ------
    MissingDependencyError
        If torch or safetensors are not installed.
    InputError
        If the data cannot be used.
    """
    with _needs_torch():
        from nucleate.fitting.graph_network.fit import train_graph_network as train
    potential = None
    if perturbed or label_rest:
        from nucleate.relax.settings import TierSettings
        from nucleate.run.scoring import single_points

        potential = single_points(TierSettings.model_validate({}))
    return train(
        data, out, perturbed=perturbed, label_rest=label_rest, potential=potential, **options
    )


def train_wyckoff_language(data: Path, out: Path, **options: Any) -> Path:
    """Train a language of Wyckoff positions, which writes crystals; return its file.

    Parameters
    ----------
    data
        parquet, matbench JSON, CSV of CIFs, ASE database, or structures: a file or folder.
    out
        Folder of the training; an existing training is continued.
    options
        As in :func:`nucleate.fitting.wyckoff_language.fit.train_wyckoff_language`. The formulas
        of the benchmark are withheld where nothing else is said.

    Raises
    ------
    MissingDependencyError
        If torch or safetensors are not installed.
    InputError
        If the data cannot be used.
    """
    with _needs_torch():
        from nucleate.fitting.wyckoff_language.fit import train_wyckoff_language as train
    return train(data, out, **_held_out(options))


def align_wyckoff_language(
    data: Path, out: Path, *, model: Any = None, workers: int | None = None, **options: Any
) -> Path:
    """Tune a language of Wyckoff positions towards low relaxed energies; return its file.

    Parameters
    ----------
    data
        What the language was trained on: parquet, matbench JSON, CSV of CIFs, extxyz or ASE
        database.
    out
        Folder of the alignment; an existing one is continued.
    model
        What relaxes the candidates, as in :func:`nucleate.relax`. Default CHGNet.
    workers
        Worker processes; default one per processor core.
    options
        As in :func:`nucleate.fitting.wyckoff_language.fit.align_wyckoff_language`. The formulas
        of the benchmark are withheld where nothing else is said.

    Raises
    ------
    MissingDependencyError
        If torch or safetensors are not installed.
    InputError
        If data, language or model cannot be used, or the relaxations were stopped; the same call
        continues them.
    """
    with _needs_torch():
        from nucleate.fitting.wyckoff_language.fit import align_wyckoff_language as align

    from nucleate.api.models import as_tiers

    as_tiers(model)  # an unknown one is refused before any work

    def judge(file: Path) -> tuple[str, list[Judged]]:
        return _judged(file, model, out / "relaxed", workers, options.get("say"))

    return align(data, out, judge, **_held_out(options))


def _judged(
    file: Path, model: Any, folder: Path, workers: int | None, say: Any
) -> tuple[str, list[Judged]]:
    """Relax the candidates of a file, whose names are composition and number."""
    from nucleate.api.relax import relax_files
    from nucleate.fitting.wyckoff_language.alignment import Judged
    from nucleate.relax.outcome import Relaxed

    done = 0

    def count(_record: Any) -> None:
        nonlocal done
        done += 1
        if say is not None and done % 100 == 0:
            say(f"{done:,} candidates relaxed")

    series = relax_files(file, model=model, folder=folder, workers=workers, on_record=count)
    if series.reason:
        raise InputError(
            f"the relaxations stopped ({series.reason}); the same command continues them"
        )
    found: list[Judged] = []
    name = "the model"
    for item, outcome in zip(series.items, series.outcomes, strict=True):
        if isinstance(outcome, Relaxed):
            composition, number = item.name.split("-")[:2]
            name = outcome.level.model
            energy = outcome.enthalpy_per_atom
            found.append(Judged(int(composition), number == "0", outcome.crystal, energy))
    return name, found


def train_flow(data: Path, out: Path, **options: Any) -> Path:
    """Train a flow, which carries random atoms into crystals; return its file.

    Parameters
    ----------
    data
        parquet, matbench JSON, CSV of CIFs, ASE database, or structures: a file or folder.
    out
        Folder of the training; an existing training is continued.
    options
        As in :func:`nucleate.fitting.flow.fit.train_flow`. The formulas of the benchmark are
        withheld where nothing else is said.

    Raises
    ------
    MissingDependencyError
        If torch or safetensors are not installed.
    InputError
        If the data cannot be used.
    """
    with _needs_torch():
        from nucleate.fitting.flow.fit import train_flow as train
    return train(data, out, **_held_out(options))


def _held_out(options: dict[str, Any]) -> dict[str, Any]:
    """Withhold the formulas of the benchmark unless ``withheld`` says otherwise."""
    from nucleate.benchmark.compounds import COMPOUNDS

    return {"withheld": [compound.name for compound in COMPOUNDS], **options}


@contextmanager
def _needs_torch() -> Generator[None]:
    """Say how to install what training needs where an import fails."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            "training needs torch and safetensors: pip install 'nucleate[train]'"
        ) from error
