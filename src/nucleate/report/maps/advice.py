"""Compositions to make next, with reasons."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nucleate.mapping.hull import ON_HULL
from nucleate.report.maps.rows import NEAR_EV, NOT_VISITED, UNLISTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.maps.rows import MapRow

FEW = 20
"""Structures below which a composition has hardly been searched."""

TIE_EV = 0.005
"""eV/atom; a phase that is stable by less is as likely to be metastable."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A composition that is worth making.

    Attributes
    ----------
    formula : str
    above_hull_ev_per_atom : float
    reasons, doubts : str
        In words.
    """

    formula: str
    above_hull_ev_per_atom: float
    reasons: str
    doubts: str

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name, with the units in their names."""
        return asdict(self)


def to_make_next(rows: Sequence[MapRow]) -> list[Advice]:
    """Return what is not in the library and at most 25 meV/atom above the hull, best first.

    Those that a second model has farther from its own hull come after the others, and those of
    positive formation energy come last.

    Parameters
    ----------
    rows
        Of the map, with reactions.
    """
    chosen = [
        row
        for row in rows
        if row.origin == UNLISTED
        and row.state != NOT_VISITED
        and row.above_hull_ev_per_atom is not None
        and row.above_hull_ev_per_atom <= NEAR_EV
        and row.decomposition
    ]
    chosen.sort(key=lambda row: (_is_above_corners(row), _height(row), _margin(row)))
    return [
        Advice(row.formula, row.above_hull_ev_per_atom or 0.0, _reasons(row), _doubts(row))
        for row in chosen
    ]


def _height(row: MapRow) -> float:
    own, judged = row.above_hull_ev_per_atom or 0.0, row.judged_above_hull_ev_per_atom
    return own if judged is None else max(own, judged)


def _is_above_corners(row: MapRow) -> bool:
    """Return whether a composition is above the line or plane between the corners."""
    return (row.formation_ev_per_atom or 0.0) > ON_HULL


def _margin(row: MapRow) -> float:
    return row.reaction_ev_per_atom or 0.0


def _reasons(row: MapRow) -> str:
    margin = row.reaction_ev_per_atom
    if row.state == "stable" and margin is not None:
        text = f"stable by {-1000.0 * margin:z.0f} meV/atom against {_right(row)}"
    else:
        text = (
            f"{1000.0 * (row.above_hull_ev_per_atom or 0.0):.0f} meV/atom above {_right(row)}, "
            "where many known compounds are"
        )
    judged = row.judged_above_hull_ev_per_atom
    if judged is not None and judged <= NEAR_EV:
        text += f"; the second model has it {1000.0 * judged:.0f} meV/atom above its hull"
    return text + f"; {UNLISTED}, which is not complete"


def _doubts(row: MapRow) -> str:
    found = []
    judged, margin = row.judged_above_hull_ev_per_atom, row.reaction_ev_per_atom
    if row.is_judged_before:
        found.append("judged before: it has a lower structure now than the second model has seen")
    elif judged is None:
        found.append("no second model says how stable it is")
    elif judged > NEAR_EV:
        found.append(f"the second model has it {1000.0 * judged:.0f} meV/atom above its hull")
    if row.judged_structure:
        found.append(f"the second model puts {row.judged_structure} lowest")
    if _is_above_corners(row):
        found.append(
            f"its formation energy is positive ({1000.0 * (row.formation_ev_per_atom or 0.0):.0f} "
            "meV/atom): it gains energy by separating into the corners of the field"
        )
    if row.searched_corners:
        found.append(
            f"the energy of {row.searched_corners} comes from a search: with a lower structure "
            "there this composition is less stable"
        )
    if row.n_structures < FEW:
        found.append(f"only {row.n_structures} structures were tried")
    if row.state == "stable" and margin is not None and -margin < TIE_EV:
        found.append("the margin is smaller than the errors of the model")
    return "; ".join(found)


def _right(row: MapRow) -> str:
    return row.decomposition.partition(" → ")[2]
