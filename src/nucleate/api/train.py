"""Train learned models on the user's own data."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nucleate.errors import MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


def train_graph_network(
    data: Path, out: Path, *, perturbed: int = 0, label_rest: bool = False, **options: Any
) -> Path:
    """Train a graph network that predicts formation energies; return its file.

    Parameters
    ----------
    data
        parquet, matbench JSON, CSV of CIFs, extxyz or ASE database.
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
        parquet, matbench JSON, CSV of CIFs, extxyz or ASE database.
    out
        Folder of the training; an existing training is continued.
    options
        As in :func:`nucleate.fitting.wyckoff_language.fit.train_wyckoff_language`.

    Raises
    ------
    MissingDependencyError
        If torch or safetensors are not installed.
    InputError
        If the data cannot be used.
    """
    with _needs_torch():
        from nucleate.fitting.wyckoff_language.fit import train_wyckoff_language as train
    return train(data, out, **options)


def train_flow(data: Path, out: Path, **options: Any) -> Path:
    """Train a flow, which carries random atoms into crystals; return its file.

    Parameters
    ----------
    data
        parquet, matbench JSON, CSV of CIFs, extxyz or ASE database.
    out
        Folder of the training; an existing training is continued.
    options
        As in :func:`nucleate.fitting.flow.fit.train_flow`.

    Raises
    ------
    MissingDependencyError
        If torch or safetensors are not installed.
    InputError
        If the data cannot be used.
    """
    with _needs_torch():
        from nucleate.fitting.flow.fit import train_flow as train
    return train(data, out, **options)


@contextmanager
def _needs_torch() -> Generator[None]:
    """Say how to install what training needs where an import fails."""
    try:
        yield
    except ImportError as error:
        raise MissingDependencyError(
            "training needs torch and safetensors: pip install 'nucleate[train]'"
        ) from error
