"""A candidate: one crystal on its way through the search, with its provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

MOVE = "move:"
"""Begins the source of what a move has made."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a candidate came from; kept permanently and written to every export.

    Attributes
    ----------
    source : str
        Generator or move, for example ``blocks``, ``symmetric``, ``move:swap-two-atoms``.
    parents : tuple of int
        Record numbers of the parents.
    detail : dict
        Further details of the source (space group drawn, file name, formula units).
    """

    source: str
    parents: tuple[int, ...] = ()
    detail: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """The generator, or ``moves``."""
        return family_of(self.source)


def family_of(source: str) -> str:
    """Return the generator that a source names, or ``moves``."""
    return "moves" if source.startswith(MOVE) else source


@dataclass(frozen=True, slots=True)
class Candidate:
    """A crystal and its origin."""

    crystal: Crystal
    origin: Origin
