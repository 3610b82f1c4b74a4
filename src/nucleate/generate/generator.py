"""The base of every source of new candidates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.candidate import Candidate, Origin


class Generator:
    """A source of new candidates for one search space.

    A finite source (the user's seeds, a ranked pool) returns None once it is exhausted; an
    endless one returns None when nothing valid was found within its budget of attempts. An object
    that has only :meth:`generate` serves as well: the other members then have the values here.

    Attributes
    ----------
    name : str
        Source of its candidates.
    """

    name: str = "generator"

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
        raise NotImplementedError

    @property
    def leads(self) -> bool:
        """Whether it comes before the other generators now."""
        return False

    def note(self, origin: Origin) -> None:
        """Take note of a candidate that was taken, in this session or before an interruption."""

    def prepare(self) -> float:
        """Do now what must be done before the first draw.

        Returns the processor time in seconds that it took in other processes.
        """
        return 0.0


class Adapted(Generator):
    """An object with ``generate`` and what else it has, with the other members of a generator."""

    def __init__(self, source: object) -> None:
        self.wrapped = source
        self.name = str(getattr(source, "name", type(source).__qualname__))
        for member in ("generate", "note", "prepare"):
            if hasattr(source, member):
                setattr(self, member, getattr(source, member))

    @property
    def leads(self) -> bool:
        """Whether it comes before the other generators now."""
        return bool(getattr(self.wrapped, "leads", False))


def as_generator(source: object) -> Generator:
    """Return an object with ``generate`` as a generator."""
    return source if isinstance(source, Generator) else Adapted(source)
