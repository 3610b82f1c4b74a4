"""Plain random search in the manner of AIRSS: sensible random crystals, relaxed, no memory.

The crystals are PyXtal's (S. Fredericks et al., Comput. Phys. Commun. 261, 107810 (2021)): a space
group at random, Wyckoff positions at random, a volume from atomic radii. AIRSS itself: C. J.
Pickard, R. J. Needs, J. Phys. Condens. Matter 23, 053201 (2011).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from nucleate.crystal.space import SearchSpace
    from nucleate.search.record import Record

ATTEMPTS = 3
"""PyXtal's own tries for one choice of space group."""


class RandomSearch:
    """PyXtal's random crystals of every allowed size."""

    name = "pyxtal-random"

    def __init__(self, space: SearchSpace) -> None:
        self._space = space

    def propose(self, *, rng: np.random.Generator) -> Candidate | None:
        """Return a random crystal, or None if the space group cannot hold the composition."""
        from pyxtal import pyxtal
        from pyxtal.msg import Comp_CompatibilityError, VolumeError

        counts = self._space.composition.counts
        units = int(rng.choice(self._space.formula_units))
        group = int(rng.integers(1, 231))
        crystal = pyxtal()
        try:
            crystal.from_random(
                3,
                group,
                list(counts),
                [count * units for count in counts.values()],
                conventional=False,
                max_count=ATTEMPTS,
                random_state=np.random.default_rng(rng.integers(2**63)),
            )
        except (Comp_CompatibilityError, VolumeError):
            return None
        if not crystal.valid:
            return None
        found = Crystal.from_ase(crystal.to_ase(resort=False)).wrapped()
        if found.n_atoms > self._space.max_atoms:
            return None
        origin = Origin("baseline:pyxtal", detail={"space_group": group, "formula_units": units})
        return Candidate(reduced_cell(found), origin)

    def learn(self, record: Record) -> None:
        """Forget it: a random search has no memory."""
