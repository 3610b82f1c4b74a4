"""The interface of every source of new candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate


class Generator(Protocol):
    """A source of new candidates for one search space.

    A finite source (the user's seeds, a ranked pool) returns None once it is exhausted; an
    endless one returns None when nothing valid was found within its budget of attempts.
    """

    name: str

    def generate(
        self, *, rng: np.random.Generator, max_formula_units: int | None = None
    ) -> Candidate | None:
        """Return a new candidate, or None.

        Parameters
        ----------
        rng
            The only source of randomness.
        max_formula_units
            Upper limit of formula units for this draw; None means the space's own limit.
        """
        ...
