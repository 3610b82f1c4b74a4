"""What the final phase found about the best structures of a run, as it is kept in the store."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.run.store import Store

EVENT = "final"
"""Kind of the event that holds it; the last one counts."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A polished geometry that is the structure of another row.

    Attributes
    ----------
    record : int
        Its record.
    tier : str
        Tier of the polish.
    displacement : float
        How far its sites are from those of the row, in the measure of the matcher.
    """

    record: int
    tier: str
    displacement: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a second model says of a structure; its energies are never mixed with those of the run.

    Attributes
    ----------
    energy : float or None
        Enthalpy in eV/atom at the geometry that it has relaxed; None where it failed.
    rank, own_rank : int or None
        Place among the structures that it judged, by this model and by that of the run.
    difference : float or None
        By how much, in eV/atom, it puts the structure higher than the run's model does,
        relative to the median of all; None where the run's energies are in arbitrary units.
    is_unphysical : bool
        The run's model has probably an unphysical minimum here.
    is_another : bool
        It has relaxed the structure into another one.
    message : str
        Why there is no energy.
    """

    energy: float | None = None
    rank: int | None = None
    own_rank: int | None = None
    difference: float | None = None
    is_unphysical: bool = False
    is_another: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of a distinct structure.

    Attributes
    ----------
    record : int
        Its record.
    tier : str
        Tier of the polish whose geometry it is.
    family : int
        Number of the family, from 1 on; its members are distortions of one structure.
    same : tuple of Copy
        Polished geometries that are the same.
    weight : float or None
        Prior weight of its structure type.
    probability : float or None
        Of being the observed structure.
    note : str
        What else is to be said.
    opinion : Opinion or None
        Of the second model.
    structure_type : str
        Its name; empty where none was looked for.
    """

    record: int
    tier: str
    family: int
    same: tuple[Copy, ...] = ()
    weight: float | None = None
    probability: float | None = None
    note: str = ""
    opinion: Opinion | None = None
    structure_type: str = ""

    @property
    def key(self) -> tuple[int, str]:
        """Record and tier."""
        return self.record, self.tier


@dataclass(frozen=True, slots=True)
class Findings:
    """What the final phase found.

    Attributes
    ----------
    rows : tuple of Finding
        The distinct structures in their order.
    tolerance : float
        Up to which displacement two structures are the same.
    matcher : str
        What compared them.
    judge : str
        The second model; empty for none.
    text : tuple of str
        Sentences for people.
    """

    rows: tuple[Finding, ...]
    tolerance: float
    matcher: str
    judge: str = ""
    text: tuple[str, ...] = ()

    @property
    def places(self) -> dict[tuple[int, str], int]:
        """Place of each polished geometry in the list, copies at that of their row."""
        found = {}
        for place, row in enumerate(self.rows):
            found[row.key] = place
            found |= {(copy.record, copy.tier): place for copy in row.same}
        return found

    def to_data(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Findings:
        """Undo :meth:`to_data`."""
        rows = tuple(
            Finding(
                **{
                    **row,
                    "same": tuple(Copy(**copy) for copy in row["same"]),
                    "opinion": None if row["opinion"] is None else Opinion(**row["opinion"]),
                }
            )
            for row in data["rows"]
        )
        return cls(**{**data, "rows": rows, "text": tuple(data["text"])})


def read_findings(store: Store) -> Findings | None:
    """Return what the last final phase of a run found; None where there was none."""
    data = None
    for _, _, found in store.events(EVENT):
        data = found
    return None if data is None else Findings.from_data(data)
