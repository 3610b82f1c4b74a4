"""A candidate: one crystal on its way through the search, with its provenance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a candidate came from; kept for ever and written to every export.

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


@dataclass(frozen=True, slots=True)
class Candidate:
    """A crystal and its origin."""

    crystal: Crystal
    origin: Origin
