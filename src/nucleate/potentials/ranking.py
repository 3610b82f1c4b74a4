"""Relax and rank many crystals with the proxy potentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.potentials.model import Criteria
from nucleate.potentials.spp import SppLibrary, shipped_library
from nucleate.potentials.threads import map_threaded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.potentials.model import Minimum

RANKING_CRITERIA = Criteria(fmax=0.0, max_stress=0.0, rms_gradient=0.1, max_steps=1000)
"""The criterion of the FUSE2 paper: normalised gradient under 0.1 (doi:10.1039/d4fd00094c)."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """One crystal of a ranking.

    Attributes
    ----------
    index : int
        Its place in the input.
    crystal : Crystal
        Relaxed geometry.
    energy_per_atom : float
        Arbitrary units: to be compared within one composition and library only.
    converged : bool
        Whether the relaxation reached the criterion.
    """

    index: int
    crystal: Crystal
    energy_per_atom: float
    converged: bool


def rank_crystals(
    crystals: Sequence[Crystal],
    *,
    library: SppLibrary | None = None,
    criteria: Criteria = RANKING_CRITERIA,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Ranked]:
    """Relax crystals with proxy potentials and return them in order of energy per atom.

    Crystals that collapse are left out.

    Parameters
    ----------
    crystals
        Crystals of one composition, in cells of any size.
    library
        Potentials; the shipped library by default.
    criteria
        When a relaxation ends.
    threads
        Threads; as many as the process may use cores by default.
    progress
        Called with (done, total).

    Raises
    ------
    InputError
        If an element is not in the library.
    """
    library = library or shipped_library()

    def relax(crystal: Crystal) -> Minimum:
        return library.model(crystal.numbers).relax(crystal, criteria)

    ends = map_threaded(relax, crystals, threads=threads, progress=progress)
    ranked = [
        Ranked(index, end.crystal, end.evaluation.energy / end.crystal.n_atoms, end.converged)
        for index, end in enumerate(ends)
        if not end.failure
    ]
    return sorted(ranked, key=lambda item: (item.energy_per_atom, item.index))
