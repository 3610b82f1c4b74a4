"""The state of a map as facts."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nucleate.library.library import SHIPPED, SHIPPED_LACKS
from nucleate.mapping.judged import JUDGED, judged_missing
from nucleate.mapping.known import LEFT_OUT, LostReference, lost_words
from nucleate.report.maps.named import named
from nucleate.report.maps.rows import HEADS, NO_ENERGY, STABLE, UNLISTED, MapRow, cells_of, map_rows
from nucleate.run.lock import is_locked
from nucleate.text import label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.mapping.energies import Energies
    from nucleate.mapping.reading import MapState


MOST_CORNERS = 4
"""Corners of a field that a figure shows."""


NAMED = 6
"""Compositions without an energy that are named."""


def map_status(state: MapState, *, best: int = 30) -> dict[str, Any]:
    """Return the state of a map as JSON-ready facts; times in seconds.

    Parameters
    ----------
    state
        The map.
    best
        Number of rows to list.
    """
    energies = state.energies
    rows = map_rows(energies, state.meta.get(JUDGED), with_reactions=False)
    stops = [event for event in state.events if event[2] in ("start", "stop")]
    stopped = stops[-1][4].get("reason") if stops and stops[-1][2] == "stop" else None
    elapsed_s = max((event[0] for event in state.events), default=0.0)
    core_s = max((event[1] for event in state.events), default=0.0)
    return {
        "field": state.field.system,
        "folder": str(state.folder),
        "compositions": len(energies.sites),
        "visited": sum(site.n_structures > 0 for site in energies.sites),
        "blank": sum(row.state == NO_ENERGY for row in rows),
        "structures": sum(site.n_structures for site in energies.sites),
        "failed": sum(site.n_failed for site in energies.sites),
        "damaged": state.damaged,
        "references": len(energies.references),
        "sources": [str(source) for source in state.options.references],
        "references_lost": [asdict(item) for item in state.lost],
        "references_left_out": left_out_words(state),
        "no_energy": [row.formula for row in rows if row.state == NO_ENERGY],
        "no_energy_error": _most_frequent_error(energies),
        "missing": list(energies.hull().missing),
        "searched_corners": searched_corners_words(energies, state.options.cell_limit),
        "stable": sum(row.state == STABLE for row in rows),
        "not_in_library": sum(row.state == STABLE and row.origin == UNLISTED for row in rows),
        "judged_missing": judged_missing_words(state),
        "judged_before": [row.formula for row in rows if row.is_judged_before],
        "library": library_words(state),
        "without_figure": without_figure(state),
        "tiers": state.tiers,
        "pressure_gpa": state.options.pressure_gpa,
        "elapsed_s": elapsed_s,
        "core_s": core_s,
        "references_core_s": sum(
            float(event[4].get("core_s", 0.0)) for event in state.events if event[2] == "references"
        ),
        "stop_reason": stopped,
        "running": is_locked(state.folder),
        "rows": [row.to_dict() for row in named(rows[:best], state)],
    }


def library_words(state: MapState) -> str:
    """Return what ``not in the library`` means in a map, and what its references leave out."""
    sources = [str(source) for source in state.options.references] or ["none"]
    words = f"{UNLISTED!r} says that no reference ({label(', '.join(sources))}) has the composition"
    if SHIPPED in sources:
        words += f"; the shipped library lacks {SHIPPED_LACKS}"
    known = state.meta["input"]["search"].get("known", "all")
    if known != "all":
        words += f"; search.known = {known!r} holds out known compounds of the map as well"
    return words + ". Check the literature before you call it new."


def left_out_words(state: MapState) -> str:
    """Return how many known structures of the sources are not used; empty where all are."""
    found = state.meta.get(LEFT_OUT, {})
    counts = (
        (found.get("held_out", 0), "held out"),
        (found.get("more_polymorphs", 0), "further polymorphs not used"),
    )
    return ", ".join(f"{count} {words}" for count, words in counts if count)


def searched_corners_words(energies: Energies, most_atoms: int) -> str:
    """Return which corners of the hull no known structure stands for; empty without any.

    Parameters
    ----------
    energies
        Of the map.
    most_atoms
        In a cell.
    """
    if not energies.searched_corners:
        return ""
    names = ", ".join(energies.searched_corners)
    return (
        f"the energy of {names} comes from a search with at most {most_atoms} atoms in a cell, as "
        "no known structure was relaxed; if a lower one exists, compounds of it seem too stable. "
        "Add its structure with --reference"
    )


def lacking_words(state: MapState) -> list[str]:
    """Return which energies the hull of a map lacks or has from a search alone, in words."""
    found = [searched_corners_words(state.energies, state.options.cell_limit)]
    if state.lost:
        found.append(lost_words(state.lost))
    return [words for words in found if words]


def made_of_words(facts: Mapping[str, Any]) -> str:
    """Return the tiers, the pressure and the known structures of a map, in words.

    Parameters
    ----------
    facts
        Of :func:`map_status`.
    """
    sources = label(", ".join(facts["sources"]) or "no source")
    left_out = facts["references_left_out"]
    return (
        f"tiers: {' → '.join(map(label, facts['tiers']))}, at {facts['pressure_gpa']:g} GPa; "
        f"{facts['references']} known structures of {sources}"
        + (f" ({left_out})" if left_out else "")
    )


def without_figure(state: MapState) -> str:
    """Return why a map has no figure of its whole hull; empty where it can have one."""
    n_corners = len(state.field.members)
    if n_corners <= MOST_CORNERS:
        return ""
    return (
        f"{state.field.system} has {n_corners} corners and a figure shows four at most, so "
        "there is no hull.png and the page shows the edges of the field; hull.csv has all numbers"
    )


def no_energy_words(facts: Mapping[str, Any]) -> str:
    """Return where nothing has an energy, and the most frequent error, in words.

    Parameters
    ----------
    facts
        Of :func:`map_status`; some compositions have no energy.
    """
    names = facts["no_energy"]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    noun = "composition" if len(names) == 1 else "compositions"
    text = f"no energy at {len(names)} {noun} ({', '.join(names[:NAMED])}{more})"
    error = facts["no_energy_error"].removesuffix(".")
    return f"{text}; most frequent error: {error}" if error else text


def judged_missing_words(state: MapState) -> str:
    """Return why the second model has no hull, in words; empty where it has one or none judged."""
    judged = state.meta.get(JUDGED)
    names = judged_missing(state.energies, judged)
    if judged is None or not names:
        return ""
    return (
        f"the second model ({judged['tier']}) has no energy of what is {', '.join(names)} now, so "
        "that it has no hull and says nothing of this map: judge again, import what is missing, or "
        "use another model"
    )


def judged_before_words(formulas: Sequence[str]) -> str:
    """Return that the hull of the second model is of an earlier state, in words."""
    more = f" and {len(formulas) - NAMED} more" if len(formulas) > NAMED else ""
    return (
        f"the hull of the second model is of an earlier state: {', '.join(formulas[:NAMED])}{more} "
        "were judged before and have other lowest structures now; they are left out of it until "
        "`nucleate refine` with --judge is run again"
    )


def _most_frequent_error(energies: Energies) -> str:
    """Return the error of most structures where nothing has an energy; empty without any."""
    errors: Counter[str] = Counter()
    for site in energies.sites:
        is_told = site.is_damaged  # with the remedy, in a line of its own
        if site.is_blank and not is_told and energies.reference_of(site.composition) is None:
            errors.update(site.errors or ([site.closed] if site.closed else []))
    return errors.most_common(1)[0][0] if errors else ""


def status_text(facts: Mapping[str, Any]) -> str:
    """Return what :func:`map_status` gives as lines for a terminal."""
    cells = [HEADS, *(cells_of(MapRow(**row)) for row in facts["rows"])]
    widths = [max(len(row[k]) for row in cells) for k in range(len(HEADS))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    state = "running" if facts["running"] else f"stopped ({facts['stop_reason'] or 'killed'})"
    missing = "; ".join(facts["missing"])
    lines.append(
        f"{facts['field']}: {state} after {facts['elapsed_s']:.0f} s "
        f"({facts['core_s']:.0f} s of processor time for the search, "
        f"{facts['references_core_s']:.0f} s for known structures), {facts['visited']} of "
        f"{facts['compositions']} compositions, {facts['structures']} structures, "
        f"{facts['failed']} failed"
    )
    lines.append(made_of_words(facts))
    stable = f"{facts['stable']} stable compositions, {facts['not_in_library']} of them {UNLISTED}"
    lines.append(stable + (f"; no hull without {missing}" if missing else ""))
    if facts["searched_corners"]:
        lines.append(facts["searched_corners"])
    lines += facts["damaged"]
    if facts["references_lost"]:
        lines.append(lost_words([LostReference(**item) for item in facts["references_lost"]]))
    if facts["no_energy"]:
        lines.append(no_energy_words(facts))
    if facts["judged_missing"]:
        lines.append(facts["judged_missing"])
    if facts["judged_before"]:
        lines.append(judged_before_words(facts["judged_before"]))
    if facts["without_figure"]:
        lines.append(facts["without_figure"])
    if facts["not_in_library"]:
        lines.append(facts["library"])
    return "\n".join(lines)
