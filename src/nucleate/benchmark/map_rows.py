"""The row of a map of a known phase field: what has been found again, and at what cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.benchmark.phase_fields import (
    course,
    difference,
    hull_of,
    new_phases,
    recovered_by_judge,
    recoveries,
    structures_to_reach,
    without_refuted,
)
from nucleate.crystal.matching import same_structure
from nucleate.mapping.judged import JUDGED, judged_missing
from nucleate.report.light import overview
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.benchmark.phase_fields import Recovery
    from nucleate.crystal.composition import Composition
    from nucleate.mapping.energies import RelaxedReference
    from nucleate.mapping.hull import Hull
    from nucleate.mapping.reading import MapState

LEVELS_MEV = (20.0, 10.0, 5.0, 2.0)
"""Hull errors of which it is stated after how many structures they are reached."""


def measured(
    name: str,
    state: MapState,
    references: Sequence[RelaxedReference],
    maps: Sequence[MapState],
) -> dict[str, Any]:
    """Return the row of a map: counts, seconds, and hull errors in meV/atom.

    Hull errors are those of the search, before the tight relaxations of a final phase.

    Parameters
    ----------
    name
        Of the field.
    state
        The map.
    references
        All known compounds of the field, relaxed by the last tier of the map.
    maps
        All maps of the field, this one included, for the joint hull.
    """
    energies = [(item.composition, item.energy) for item in references]
    known = hull_of(state.field, energies)
    others = [item for one in maps for item in searched_energies(one)]
    joint = hull_of(state.field, energies + others)
    steps = course(state.field, state.energies.references, state.events, known)
    joint_steps = course(state.field, state.energies.references, state.events, joint)
    now = steps[-1][1]
    found, new = recoveries(state, references, known), new_phases(state, references, known)
    sites = state.energies.sites
    rule = state.meta["input"]["allocation"]
    recovered = sum(item.is_recovered for item in found)
    ends = [data for _, _, kind, _, data in state.events if kind == "stop"]
    return {
        "field": name,
        "rule": rule["rule"],
        "seed": rule["seed"],
        "core_s": round(max(event[1] for event in state.events), 1),
        "compositions": len(state.field.inner),
        "visited": sum(site.n_structures > 0 for site in sites),
        "structures": sum(site.n_structures for site in sites),
        "failed": sum(site.n_failed for site in sites),
        "known": len(found),
        "on_grid": sum(item.on_grid for item in found),
        "found": sum(item.is_found for item in found),
        "same": sum(item.is_same for item in found),
        "recovered": recovered,
        "share": round(recovered / len(found), 3) if found else None,
        "error_before_mev": round(steps[0][1].mean, 2),
        "error_mev": round(now.mean, 2),
        "missing_mev": round(now.missing, 2),
        "lower_mev": round(now.lower, 2),
        "new": len(new),
        "new_of_known": sum(item.has_known for item in new),
        **{f"structures_to_{mev:g}_mev": structures_to_reach(steps, mev) for mev in LEVELS_MEV},
        "joint_before_mev": round(joint_steps[0][1].mean, 2),
        "joint_mev": round(joint_steps[-1][1].mean, 2),
        **{
            f"joint_structures_to_{mev:g}_mev": structures_to_reach(joint_steps, mev)
            for mev in LEVELS_MEV
        },
        "phases": "; ".join(
            f"{item.formula} {outcome_of(item)}"
            f" {'' if item.height_mev is None else format(item.height_mev, '+.1f')}".rstrip()
            + ("" if item.on_grid else " (not on the grid)")
            for item in found
        ),
        "new_phases": "; ".join(f"{item.formula} {-item.below_mev:.1f}" for item in new),
        **second_opinion(state, references, known),
        "decisions_s": round(sum(data.get("decisions_s", 0.0) for data in ends), 1),
        "ended": ends[-1]["reason"] if ends else "",
    }


def searched_energies(state: MapState) -> list[tuple[Composition, float]]:
    """Return the energies that the visits of a map have reached, without tight relaxations."""
    found = []
    for _, _, kind, formula, data in state.events:
        place = None if formula is None else state.field.index_of(formula)
        if kind == "visit" and place is not None and data["best"] is not None:
            found.append((state.field.compositions[place], float(data["best"])))
    return found


def second_opinion(
    state: MapState, references: Sequence[RelaxedReference], known: Hull
) -> dict[str, Any]:
    """Return what a map says after its final phase.

    Known phases that are the first row of their composition, those that are on the hull of the
    second model, and the hull error without what that model refutes.
    """
    if JUDGED not in state.meta:
        return dict.fromkeys(
            ("first", "judged_recovered", "judged_error_mev", "judged_missing_mev")
        )
    counts = state.field.counts[len(state.field.members) :]
    has_hull = not judged_missing(state.energies, state.meta[JUDGED])
    now = difference(without_refuted(state), known, counts) if has_hull else None
    first = [
        item.composition.formula
        for item in (references[vertex] for vertex in known.vertices)
        if len(item.composition.items) > 2 and is_first(state, item)
    ]
    return {
        "first": "; ".join(first),
        "judged_recovered": "; ".join(recovered_by_judge(state, references, known)),
        "judged_error_mev": None if now is None else round(now.mean, 2),
        "judged_missing_mev": None if now is None else round(now.missing, 2),
    }


def is_first(state: MapState, item: RelaxedReference) -> bool:
    """Return whether a known structure is the first row of the run of its composition."""
    place = state.field.index_of(item.composition.formula)
    if place is None or not state.energies.sites[place].n_structures:
        return False
    with Store.read(state.energies.sites[place].folder) as store:
        rows = overview(store, best=1).ranked
    return bool(rows) and same_structure(rows[0].relaxed.crystal, item.crystal)


def outcome_of(item: Recovery) -> str:
    """Return what became of a known phase in a word."""
    if item.is_recovered:
        return "recovered"
    if item.is_same:
        return "above the hull"
    return "found" if item.is_found else "missed"
