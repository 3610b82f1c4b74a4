"""Proxy potentials: derive a library from structures, and look at its curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.potentials.basis import CONTEXTS, pair_index
from nucleate.potentials.spp import SppLibrary, shipped_library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

METHODS = ("statistics", "response", "paths")


@dataclass(frozen=True, slots=True, eq=False)
class PairCurves:
    """The potential of a pair of elements in every context.

    Attributes
    ----------
    pair : str
        Such as ``O-Ti``.
    contexts : tuple of str
        Names of the contexts.
    contact_ang : ndarray, shape (n_contexts,)
        Contact distances in Å.
    observed : ndarray, shape (n_contexts,)
        Structures in which the pair was seen.
    library : SppLibrary
        Where they are from.
    """

    pair: str
    contexts: tuple[str, ...]
    contact_ang: NDArray[np.float32]
    observed: NDArray[np.int32]
    library: SppLibrary
    numbers: tuple[int, int]

    def at(self, distances_ang: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return energies in arbitrary units, shape (n_contexts, n_distances)."""
        places = range(len(self.contexts))
        return np.array(
            [self.library.pair_energy(*self.numbers, distances_ang, context=c) for c in places]
        )

    @property
    def cutoff_ang(self) -> float:
        """Distance in Å beyond which all are zero."""
        return float(self.library.basis.cutoff)

    def plot(self) -> Figure:
        """Return a figure of the curves."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6, 4), layout="constrained")
        axes: Any = figure.subplots()
        r = np.linspace(0.5, self.cutoff_ang, 600)
        energies = self.at(r)
        for name, energy in zip(self.contexts, energies, strict=True):
            axes.plot(r, energy, label=name)
        lowest = min(0.0, float(energies.min()))
        axes.set(
            xlabel="distance (Å)",
            ylabel="energy (arbitrary units)",
            title=self.pair,
            ylim=(1.3 * lowest - 0.1, max(-2.0 * lowest, 0.5)),
        )
        axes.axhline(0.0, color="0.7", linewidth=0.8)
        axes.legend()
        return figure


def pair_curves(pair: str, library: Path | None = None) -> PairCurves:
    """Return the potential of a pair such as ``O-Ti``.

    Parameters
    ----------
    pair
        Two elements with a dash.
    library
        Library file; default the shipped one.

    Raises
    ------
    InputError
        If it is no pair, or the library has it not.
    """
    symbols = pair.split("-")
    if len(symbols) != 2:
        raise InputError(f"pair = {pair!r} is not two elements. Write it like O-Ti.")
    first, second = (element(symbol).number for symbol in symbols)
    chosen = SppLibrary.load(library) if library else shipped_library()
    chosen.check([first, second])
    row = pair_index(
        chosen.elements.index(first), chosen.elements.index(second), len(chosen.elements)
    )
    contact, observed = chosen.contact[:, row], chosen.observed[:, row]
    return PairCurves(pair, tuple(CONTEXTS), contact, observed, chosen, (first, second))


def derive_potentials(
    data: Path,
    out: Path,
    *,
    method: str = "paths",
    max_structures: int = 30_000,
    fitted: int = 6_000,
    held_out: int = 600,
    seed: int = 0,
    report: Callable[[str], None] = lambda _: None,
) -> int:
    """Derive a library of proxy potentials, test it on a held-out part, and write it.

    Parameters
    ----------
    data
        Structures: parquet table, file or folder.
    out
        Library to write.
    method
        ``statistics``, ``response`` or ``paths``.
    max_structures, fitted, held_out
        Structures to learn from, of a linear fit, and to test on.
    seed
        Seed of all random numbers.
    report
        Called with lines on how it proceeds.

    Returns
    -------
    int
        Number of elements.

    Raises
    ------
    InputError
        If the method is unknown or the data cannot be used.
    """
    from nucleate.fitting.proxy_potentials.derive import DerivationSettings, derive
    from nucleate.fitting.proxy_potentials.structures import split_samples

    if method not in METHODS:
        raise InputError(f"--method = {method}: use statistics, response or paths.")
    training, tested = split_samples(data)
    settings = DerivationSettings(
        method=method,  # type: ignore[arg-type]
        max_structures=max_structures,
        fitted_structures=fitted,
        held_out=held_out,
        seed=seed,
    )
    library = derive(training, tested, settings, source=data.name, report=report)
    library.save(out)
    return len(library.elements)
