"""Good structures of other compositions as candidates for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate
    from nucleate.mapping.energies import Energies
    from nucleate.mapping.site import Site


def guests_of(site: Site, energies: Energies, *, rng: np.random.Generator) -> list[Candidate]:
    """Return none."""
    return []
