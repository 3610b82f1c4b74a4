"""How much of a known phase field a map has found again.

The truth is the hull of the known compounds of the field, relaxed by the last tier of the map, with
the structures that the map was not given. Hulls are compared as energies per atom, so both must
come from the same tier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.matching import Comparable, displacement, same_structure
from nucleate.mapping.field import key_of
from nucleate.mapping.hull import Hull
from nucleate.mapping.judged import JUDGED, judged_heights
from nucleate.mapping.travel import crystal_of
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from nucleate.crystal.composition import Composition
    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.energies import Phase, RelaxedReference
    from nucleate.mapping.field import Field
    from nucleate.mapping.reading import Event, MapState
    from nucleate.mapping.site import Site

MEV = 1000.0
BELOW_MEV = 1.0
"""meV/atom below the hull of the known phases from which on a stable phase counts as new."""

NEAR_MEV = 10.0
"""meV/atom; relaxations of the same structure that ended early differ by less."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How far a hull is from that of the known phases, mean over compositions, in meV/atom.

    Attributes
    ----------
    mean : float
        Of the absolute difference.
    missing : float
        Part by which it lies above, as known phases have not been found.
    lower : float
        Part by which it lies below, as phases were found that are not known.
    """

    mean: float
    missing: float
    lower: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a known stable phase.

    Attributes
    ----------
    formula : str
    name : str
        Of the known compound.
    on_grid : bool
        Whether the map looks at its composition at all.
    structures : int
        Tried there.
    height_mev : float or None
        Lowest structure found, relative to the known one, in meV/atom; None where none was.
    is_found : bool
        Whether the known structure is among those of its composition, the lowest or not.
    is_same : bool
        Whether the lowest structure found is the known one.
    is_recovered : bool
        Whether it is also on the hull of the map.
    """

    formula: str
    name: str
    on_grid: bool
    structures: int
    height_mev: float | None
    is_found: bool
    is_same: bool
    is_recovered: bool


@dataclass(frozen=True, slots=True)
class NewPhase:
    """A stable phase of a map below the hull of the known phases.

    Attributes
    ----------
    formula : str
    below_mev : float
        meV/atom.
    has_known : bool
        Whether a compound of this composition is known, which is then a higher polymorph.
    """

    formula: str
    below_mev: float
    has_known: bool


def hull_of(field: Field, energies: Iterable[tuple[Composition, float]]) -> Hull:
    """Return the hull of compositions with energies in eV/atom."""
    items = list(energies)
    return Hull.build(
        field.member_counts,
        [member.formula for member in field.members],
        [field.counts_of(composition) for composition, _ in items],
        [energy for _, energy in items],
        [composition.formula for composition, _ in items],
    )


def total_energy(hull: Hull, counts: ArrayLike) -> NDArray[np.float64]:
    """Return the energy of a hull in eV/atom, not relative to its corners, at (n, n_elements)."""
    table = np.asarray(counts, dtype=np.float64)
    return hull.energy_at(table) - hull.formation_of(table, np.zeros(len(table)))


def difference(found: Hull, known: Hull, counts: ArrayLike) -> Difference:
    """Compare two hulls at compositions, (n, n_elements)."""
    excess = MEV * (total_energy(found, counts) - total_energy(known, counts))
    return Difference(
        float(np.abs(excess).mean()),
        float(np.maximum(excess, 0.0).mean()),
        float(np.maximum(-excess, 0.0).mean()),
    )


def course(
    field: Field,
    given: Sequence[RelaxedReference],
    events: Iterable[Event],
    known: Hull,
) -> list[tuple[int, Difference]]:
    """Return the difference of the hull after each visit of a map.

    Parameters
    ----------
    field
        The field; the difference is the mean over its compositions without the corners.
    given
        The known compounds that the map was given, in its hull from the beginning.
    events
        Of the map.
    known
        The hull of the known phases.

    Returns
    -------
    list of (int, Difference)
        Structures of all compositions so far; the first is before any.
    """
    counts = field.counts[len(field.members) :]
    fixed = [(item.composition, item.energy) for item in given]
    best: dict[int, float] = {}
    tried: dict[int, int] = {}
    found = [(0, difference(hull_of(field, fixed), known, counts))]
    for _, _, kind, formula, data in events:
        place = None if kind != "visit" or formula is None else field.index_of(formula)
        if place is None:
            continue
        tried[place] = int(data["structures"])
        before = best.get(place)
        if data["best"] is not None:
            best[place] = min(data["best"], np.inf if before is None else before)
        now = found[-1][1]
        if best.get(place) != before:
            phases = [(field.compositions[k], energy) for k, energy in best.items()]
            now = difference(hull_of(field, fixed + phases), known, counts)
        found.append((sum(tried.values()), now))
    return found


def structures_to_reach(steps: Sequence[tuple[int, Difference]], mev: float) -> int | None:
    """Return after how many structures the part above is at most this; None where it never is."""
    return next((number for number, step in steps if step.missing <= mev), None)


def recoveries(
    state: MapState, references: Sequence[RelaxedReference], known: Hull
) -> list[Recovery]:
    """Return what became of the stable known phases of more than two elements.

    Parameters
    ----------
    state
        The map.
    references
        All known compounds of the field, relaxed by the last tier of the map, in the order of the
        phases of ``known``.
    known
        Their hull.
    """
    hull, phases = state.energies.hull(), state.energies.phases()
    places = {key_of(phase.composition.counts): k for k, phase in enumerate(phases)}
    sites = {key_of(site.composition.counts): site for site in state.energies.sites}
    stable = set(hull.vertices)
    rows = []
    for vertex in known.vertices:
        item = references[vertex]
        if len(item.composition.items) < 3:
            continue
        key = key_of(item.composition.counts)
        site, place = sites.get(key), places.get(key)
        height, is_same, is_found = None, False, False
        if place is not None:
            height = MEV * (phases[place].energy - item.energy)
            is_same = same_structure(crystal_of(phases[place]), item.crystal)
            is_found = is_same or (site is not None and has_found(site, item, state.tiers[-1]))
        rows.append(
            Recovery(
                item.composition.formula,
                item.name,
                site is not None,
                0 if site is None else site.n_structures,
                height,
                is_found,
                is_same,
                is_same and place in stable,
            )
        )
    return rows


def recovered_by_judge(
    state: MapState, references: Sequence[RelaxedReference], known: Hull
) -> list[str]:
    """Return the known stable phases that are phases of the hull of the second model.

    A phase counts if the structure which the second model has as the lowest of its composition is
    the known one, at most :data:`BELOW_MEV` above the hull of that model.

    Parameters
    ----------
    state, references, known
        As for :func:`recoveries`. ``known`` is the hull of the model of the map.
    """
    judged = state.meta.get(JUDGED)
    heights = judged_heights(state.energies, judged)
    others = {} if judged is None else judged.get("others", {})
    phases = {key_of(item.composition.counts): item for item in state.energies.phases()}
    found = []
    for vertex in known.vertices:
        item = references[vertex]
        phase = phases.get(key_of(item.composition.counts))
        if len(item.composition.items) < 3 or phase is None or phase.site is None:
            continue
        height = heights.get(phase.site.formula)
        if height is None or MEV * height > BELOW_MEV:
            continue
        chosen = _chosen_by_judge(phase, others.get(phase.site.formula))
        if same_structure(chosen, item.crystal):
            found.append(item.composition.formula)
    return found


def _chosen_by_judge(phase: Phase, label: int | str | None) -> Crystal:
    """Return what the second model has as the lowest: a structure of the run, or a known one."""
    if isinstance(label, int):
        assert phase.site is not None
        with Store.read(phase.site.folder) as store:
            return store.records_of([label])[0].crystal
    if label is not None and phase.reference is not None:
        return phase.reference.crystal
    return crystal_of(phase)


def without_refuted(state: MapState) -> Hull:
    """Return the hull of a map without what the second model has above its own.

    Compositions that were searched, and of which it has the lowest structure more than
    :data:`BELOW_MEV` above its hull, are left out.
    """
    heights = judged_heights(state.energies, state.meta.get(JUDGED))
    kept = [
        (phase.composition, phase.energy)
        for phase in state.energies.phases()
        if phase.site is None or MEV * heights.get(phase.site.formula, 0.0) <= BELOW_MEV
    ]
    return hull_of(state.field, kept)


def has_found(site: Site, item: RelaxedReference, tier: str) -> bool:
    """Return whether a structure of a composition is a known one.

    Only those within :data:`NEAR_MEV` of its energy are compared.
    """
    if not Store.exists(site.folder):
        return False
    known = Comparable.of(item.crystal)
    with Store.read(site.folder) as store:
        for record, _ in store.records():
            relaxed = record.relaxed_by(tier)
            if relaxed is None or MEV * abs(relaxed.enthalpy_per_atom - item.energy) > NEAR_MEV:
                continue
            if displacement(Comparable.of(relaxed.crystal), known) is not None:
                return True
    return False


def new_phases(
    state: MapState, references: Sequence[RelaxedReference], known: Hull
) -> list[NewPhase]:
    """Return the stable phases of a map that lie below the hull of the known ones, lowest first."""
    compositions = {key_of(item.composition.counts) for item in references}
    phases = state.energies.phases()
    found = []
    for place in state.energies.hull().vertices:
        phase = phases[place]
        counts = np.array([state.field.counts_of(phase.composition)])
        below = MEV * float(total_energy(known, counts)[0] - phase.energy)
        if phase.site is not None and below > BELOW_MEV:
            has_known = key_of(phase.composition.counts) in compositions
            found.append(NewPhase(phase.composition.formula, below, has_known))
    return sorted(found, key=lambda item: -item.below_mev)
