"""The rows of a map: the lowest structure of each composition, from which everything is shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.mapping.field import key_of
from nucleate.mapping.hull import ON_HULL
from nucleate.mapping.judged import judged_before, judged_heights, judged_others
from nucleate.report.naming import type_cell
from nucleate.report.render import data_frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pandas import DataFrame  # pyright: ignore[reportMissingTypeStubs]

    from nucleate.mapping.energies import Energies, Phase
    from nucleate.mapping.hull import Hull

SHOWN = 30
"""Rows of a table that a notebook or the interpreter shows."""

NOT_VISITED, NO_ENERGY, STABLE, METASTABLE = "not visited", "no energy", "stable", "metastable"
NO_HULL = "no hull yet"
KNOWN, LOWER, UNLISTED = "known", "lower than known", "not in the library"
ELEMENT = "element"
NEAR_EV = 0.025
"""eV/atom above the hull up to which a phase may be made; of known compounds most lie below."""


@dataclass(frozen=True, slots=True)
class MapRow:
    """One composition.

    Attributes
    ----------
    formula : str
    state : str
        ``stable``, ``metastable``, ``no hull yet`` (a corner has no energy), ``no energy`` (all
        structures failed) or ``not visited``.
    origin : str
        ``known`` where a known compound is the lowest structure or as low as it, ``lower than
        known`` where the search has found a lower one, and ``not in the library`` where no
        reference has this composition, which does not mean that nobody has made it; ``element``
        where that is one.
    known_as : str
        Name of the lowest known compound of this composition; empty where there is none.
    energy_ev_per_atom, formation_ev_per_atom, above_hull_ev_per_atom : float or None
        Enthalpy of the lowest structure, relative to the corners of the field, and to the hull.
    decomposition : str
        Reaction into the stable phases; of a stable phase into what it would be without it.
    reaction_ev_per_atom : float or None
        Energy of the phase relative to what it decomposes into, itself left out.
    judged_above_hull_ev_per_atom : float or None
        Energy above the hull of the second model, which has a hull of its own.
    judged_structure : str
        The structure that has the lowest energy by the second model, where it is another than by
        the map: its number in the run, or the name of the known compound.
    is_judged_before : bool
        Whether the second model has judged an earlier structure of this composition, which is the
        lowest no more; its energy is left out.
    n_structures, n_failed : int
        Tried by the map.
    reason : str
        Why nothing more is searched here, or what went wrong.
    structure_type, pearson : str
        Structure type of the lowest structure, and Pearson symbol; empty where it is not named
        (see :func:`nucleate.report.maps.named.named`).
    nearest : str
        Nearest known compound of the same protostructure: formula and identifier.
    searched_corners : str
        Corners of the field in it, joined by commas, whose energy comes from a search, as no known
        structure of theirs was relaxed. If a corner has a lower structure, the compound is less
        stable than it seems.
    nearest_distance : float or None
        Fingerprint distance to it, see :class:`nucleate.library.names.Identity`.
    """

    formula: str
    state: str
    origin: str = ""
    known_as: str = ""
    energy_ev_per_atom: float | None = None
    formation_ev_per_atom: float | None = None
    above_hull_ev_per_atom: float | None = None
    decomposition: str = ""
    reaction_ev_per_atom: float | None = None
    judged_above_hull_ev_per_atom: float | None = None
    judged_structure: str = ""
    is_judged_before: bool = False
    n_structures: int = 0
    n_failed: int = 0
    reason: str = ""
    structure_type: str = ""
    pearson: str = ""
    nearest: str = ""
    nearest_distance: float | None = None
    searched_corners: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name, with the units in their names."""
        return asdict(self)


def map_rows(
    energies: Energies,
    judged: Mapping[str, Any] | None = None,
    *,
    with_reactions: bool = True,
) -> list[MapRow]:
    """Return a row for each composition, those lowest above the hull first.

    Compositions without any structure come last. Known compounds that are not of the grid have
    rows too.

    Parameters
    ----------
    energies
        What is known and found.
    judged
        What the store of the map keeps of a second model.
    with_reactions
        Whether the decompositions are found, which takes about 2 ms each.
    """
    hull, rows = energies.hull(), []
    heights, before = judged_heights(energies, judged), judged_before(energies, judged)
    others = judged_others(judged, heights)
    phases = energies.phases()
    stable, searched = set(hull.vertices), energies.searched_corners
    for place, phase in enumerate(phases):
        row = _row(phase, place, hull, energies, is_stable=place in stable, reacts=with_reactions)
        shares = zip(hull.member_names, hull.shares[place], strict=True)
        corners = [name for name, share in shares if share > 0.0 and name in searched]
        rows.append(
            replace(
                row,
                judged_above_hull_ev_per_atom=heights.get(row.formula),
                judged_structure=others.get(row.formula, ""),
                is_judged_before=row.formula in before,
                searched_corners=", ".join(corners),
            )
        )
    seen = {key_of(phase.composition.counts) for phase in phases}
    for site in energies.sites:
        if key_of(site.composition.counts) not in seen:
            state = NO_ENERGY if site.is_blank else NOT_VISITED
            rows.append(
                MapRow(
                    site.formula,
                    state,
                    n_structures=site.n_structures,
                    n_failed=site.n_failed,
                    reason=site.why,
                )
            )
    return sorted(rows, key=_order)


def _order(row: MapRow) -> tuple[bool, float, str]:
    height = row.above_hull_ev_per_atom
    return height is None, 0.0 if height is None else height, row.formula


def _row(
    phase: Phase, place: int, hull: Hull, energies: Energies, *, is_stable: bool, reacts: bool
) -> MapRow:
    site, known = phase.site, phase.reference
    if site is None:
        key = key_of(phase.composition.counts)
        site = next((s for s in energies.sites if key_of(s.composition.counts) == key), None)
    formation = float(hull.formation[place])
    above = float(hull.above_hull[place]) if not hull.missing else None
    text, energy = ("", None)
    if reacts and above is not None:
        text, energy = _reaction(phase, place, hull, energies, is_stable=is_stable)
    return MapRow(
        formula=phase.composition.formula,
        state=NO_HULL if hull.missing else STABLE if is_stable else METASTABLE,
        origin=_origin(phase),
        known_as="" if known is None else known.name,
        energy_ev_per_atom=phase.energy,
        formation_ev_per_atom=formation if np.isfinite(formation) else None,
        above_hull_ev_per_atom=None if above is None else (0.0 if above <= ON_HULL else above),
        decomposition=text,
        reaction_ev_per_atom=energy,
        n_structures=0 if site is None else site.n_structures,
        n_failed=0 if site is None else site.n_failed,
        reason="" if site is None else site.why,
    )


def _origin(phase: Phase) -> str:
    if phase.reference is None:
        return UNLISTED if len(phase.composition.items) > 1 else ELEMENT
    return KNOWN if phase.is_known else LOWER


def _reaction(
    phase: Phase, place: int, hull: Hull, energies: Energies, *, is_stable: bool
) -> tuple[str, float | None]:
    """Return the decomposition in words, and the energy that a phase has relative to it."""
    counts = energies.field.counts_of(phase.composition)
    if np.isclose(hull.shares[place].max(), 1.0):
        return "", None
    found = hull.competitors(place) if is_stable else hull.decompose(counts)
    energy = float(hull.formation[place]) - found.energy
    return found.reaction(counts, energies.field.elements), energy


def frame_of(rows: Sequence[MapRow]) -> DataFrame:
    """Return rows as a data frame; raises MissingDependencyError without pandas."""
    return data_frame([row.to_dict() for row in rows])


HEADS = (
    "formula",
    "state",
    "above hull, meV/atom",
    "formation, eV/atom",
    "structures",
    "in the library",
    "type, nearest known",
)


def cells_of(row: MapRow) -> tuple[str, ...]:
    """Return a row for people, by :data:`HEADS`."""
    above, formation = row.above_hull_ev_per_atom, row.formation_ev_per_atom
    return (
        row.formula,
        row.state,
        "" if above is None else f"{1000.0 * above:.0f}",
        "" if formation is None else f"{formation:z.3f}",
        str(row.n_structures),
        _listed_as(row),
        type_cell(
            row.structure_type, row.pearson, row.nearest.partition(" ")[0], row.nearest_distance
        ),
    )


def _listed_as(row: MapRow) -> str:
    """Return the name of the known compound, and whether the map has found something lower."""
    if row.origin in (UNLISTED, ELEMENT):
        return "no" if row.origin == UNLISTED else ELEMENT
    return f"{row.known_as}, found lower" if row.origin == LOWER else row.known_as


def rows_html(rows: Sequence[MapRow], title: str) -> str:
    """Return the first rows as an HTML table."""
    head = "".join(f"<th>{escape(text)}</th>" for text in HEADS)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in cells_of(row)) + "</tr>"
        for row in rows[:SHOWN]
    )
    more = f"<p>and {len(rows) - SHOWN} more</p>" if len(rows) > SHOWN else ""
    return f"<p>{escape(title)}</p><table><tr>{head}</tr>{body}</table>{more}"
