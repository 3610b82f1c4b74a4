"""The hull as it grew: what was stable after each visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.mapping.hull import Hull
from nucleate.report.maps.edges import faces, tie_lines

if TYPE_CHECKING:
    from nucleate.mapping.energies import Phase
    from nucleate.mapping.reading import MapState

FRAMES = 40


@dataclass(frozen=True, slots=True)
class Frame:
    """The hull at one moment.

    Attributes
    ----------
    elapsed_s, core_s : float
        Running time and processor time.
    n_visits : int
        Visits until then.
    stable : tuple of int
        Places of the phases of the last hull that were stable then.
    lines : tuple of (int, int)
        Tie lines between them.
    faces : tuple of (int, int, int)
        Triangles between them, in a field of four corners.
    heights : tuple of (int, float, float)
        Places, formation energies and energies above that hull in eV/atom of all phases that had
        one.
    """

    elapsed_s: float
    core_s: float
    n_visits: int
    stable: tuple[int, ...]
    lines: tuple[tuple[int, int], ...]
    faces: tuple[tuple[int, int, int], ...]
    heights: tuple[tuple[int, float, float], ...]


def growth(state: MapState, most: int = FRAMES) -> list[Frame]:
    """Return the hull after some of the visits, the last one included.

    Known compounds belong to every frame. Before all corners have an energy there is no
    frame. What a polish or a later run of one composition has lowered appears in the last frame
    only.

    Parameters
    ----------
    state
        The map.
    most
        Number of frames.
    """
    phases = state.energies.phases()
    places = {phase.composition.formula: place for place, phase in enumerate(phases)}
    best: dict[int, float] = {
        place: phase.reference.energy
        for place, phase in enumerate(phases)
        if phase.reference is not None
    }
    visits = [event for event in state.events if event[2] == "visit"]
    wanted = {round(k * (len(visits) - 1) / max(most - 1, 1)) for k in range(most)}
    frames: list[Frame] = []
    for number, (elapsed_s, core_s, _, formula, data) in enumerate(visits):
        place = None if formula is None else places.get(formula)
        if place is not None and data.get("best") is not None:
            best[place] = min(float(data["best"]), best.get(place, float("inf")))
        if number in wanted:
            frame = _frame(state, phases, best, elapsed_s, core_s, number + 1)
            frames += [] if frame is None else [frame]
    if frames:
        last = {place: phase.energy for place, phase in enumerate(phases)}
        final = _frame(state, phases, last, frames[-1].elapsed_s, frames[-1].core_s, len(visits))
        frames[-1:] = [final] if final is not None else []
    return frames


def _frame(
    state: MapState,
    phases: tuple[Phase, ...],
    best: dict[int, float],
    elapsed_s: float,
    core_s: float,
    n_visits: int,
) -> Frame | None:
    places = sorted(best)
    field = state.field
    hull = Hull.build(
        field.member_counts,
        [member.formula for member in field.members],
        [field.counts_of(phases[place].composition) for place in places],
        [best[place] for place in places],
    )
    if hull.missing:
        return None
    return Frame(
        elapsed_s,
        core_s,
        n_visits,
        tuple(places[k] for k in hull.vertices),
        tuple((places[a], places[b]) for a, b in tie_lines(hull)),
        tuple((places[a], places[b], places[c]) for a, b, c in faces(hull)),
        tuple(zip(places, hull.formation.tolist(), hull.above_hull.tolist(), strict=True)),
    )
