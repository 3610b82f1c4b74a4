"""Small displacements that take a crystal off a saddle and out of its symmetry."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal


def rattled(crystal: Crystal, size: float) -> Crystal:
    """Return the crystal with every coordinate displaced by a normal deviate of ``size`` Å.

    The displacements follow from the crystal alone, so the same crystal is always displaced
    in the same way.
    """
    seed = sha256(crystal.cell.tobytes() + crystal.scaled.tobytes()).digest()[:8]
    rng = np.random.default_rng(int.from_bytes(seed, "little"))
    moves = rng.normal(0.0, size, (crystal.n_atoms, 3))
    return crystal.replace(scaled=crystal.scaled + moves @ np.linalg.inv(crystal.cell))
