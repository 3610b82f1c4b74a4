"""A map as pymatgen has it: computed entries, and a phase diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from nucleate.mapping.energies import Phase
    from nucleate.mapping.reading import MapState


def entry_dict(phase: Phase, state: MapState) -> dict[str, Any]:
    """Return a phase as the dictionary of a pymatgen ComputedEntry, which needs no pymatgen.

    Its energy is the enthalpy, which the hull is made of; where there is pressure, ``parameters``
    has it.
    """
    counts = phase.composition.counts
    tier = state.meta["input"]["tier"][-1]
    known, pressure = phase.reference, state.options.pressure_gpa
    number = None if phase.site is None else phase.site.best_number
    return {
        "@module": "pymatgen.entries.computed_entries",
        "@class": "ComputedEntry",
        "energy": phase.energy * phase.composition.n_atoms,
        "composition": {symbol: float(count) for symbol, count in counts.items()},
        "entry_id": _name(phase),
        "correction": 0.0,
        "energy_adjustments": [],
        "parameters": {
            "model": tier["name"],
            "engine": tier["engine"]["kind"],
            **({"pressure_gpa": pressure, "energy_is": "enthalpy"} if pressure else {}),
        },
        "data": {"record": number, "known_as": None if known is None else known.name},
    }


def _name(phase: Phase) -> str:
    if phase.site is None and phase.reference is not None:
        return phase.reference.name
    number = None if phase.site is None else phase.site.best_number
    return f"{phase.composition.formula}-r{number}"


def phase_diagram(state: MapState) -> Any:
    """Return a ``PhaseDiagram``, or a ``CompoundPhaseDiagram`` of a field of end members.

    Raises
    ------
    MissingDependencyError
        If pymatgen is not installed.
    InputError
        If a corner of the field has no energy yet.
    """
    try:
        from pymatgen.analysis.phase_diagram import CompoundPhaseDiagram, PhaseDiagram
        from pymatgen.core import Composition
        from pymatgen.entries.computed_entries import ComputedEntry
    except ImportError as error:
        raise MissingDependencyError(
            "a phase diagram needs pymatgen: pip install pymatgen-core. hull.csv and entries.json "
            "of an export have the same numbers without it."
        ) from error
    missing = state.energies.hull().missing
    if missing:
        raise InputError(
            f"{state.folder}: {', '.join(missing)} has no energy yet, so there is no hull. "
            "Continue the map."
        )
    entries: list[Any] = [
        ComputedEntry.from_dict(entry_dict(phase, state)) for phase in state.energies.phases()
    ]
    if not state.field.has_end_members:
        return PhaseDiagram(entries)
    corners = [Composition(member.formula) for member in state.field.members]
    return CompoundPhaseDiagram(entries, corners, normalize_terminal_compositions=True)
