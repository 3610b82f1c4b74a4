"""What a run of the matrix has found, read from its store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nucleate.benchmark.matching import match_rms
from nucleate.benchmark.references import judging_tiers
from nucleate.relax.outcome import Failed
from nucleate.run.store import Store
from nucleate.run.trust import began_by_user, check_trusted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.benchmark.matrix import Cell
    from nucleate.benchmark.references import RelaxedStructure
    from nucleate.crystal.crystal import Crystal
    from nucleate.search.record import Record, SearchUpdate

NEAR_EV_PER_ATOM = 0.03
"""Only structures this near the relaxed reference in energy are compared with it."""

MOST_COMPARED = 300

SAME_ENERGY = 1e-3
"""eV/atom within which two relaxations of one structure can end."""


NO_TRUST = "Benchmarks run nobody else's code: begin one of your own in another folder."
"""Remedy where the stored input of a run names code of somebody else."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A structure that is the reference.

    Attributes
    ----------
    core_s : float
        Core seconds of the run when it was found.
    rank : int
        Its place among the distinct structures of the run, 1 for the lowest.
    rms : float
        Normalised rms displacement from the relaxed reference. Values near the tolerance of 0.5
        are loose matches.
    closest_rms : float
        The smallest one of all structures of the run that match.
    energy_ev_per_atom : float
        Of the structure.
    source : str
        Generator or move that made it.
    """

    core_s: float
    rank: int
    rms: float
    closest_rms: float
    energy_ev_per_atom: float
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """One run.

    Attributes
    ----------
    cell : Cell
        Which one.
    core_s, preparation_s : float
        Core seconds in all, and before the first relaxation (the making of a pool).
    structures, relaxed, repeats : int
        Relaxed, successfully or not; with an energy of the last tier; drawn again and left out.
    failures : Counter
        Number of failures by ``tier: reason``.
    curve : tuple of (float, float)
        Core seconds and energy (eV/atom) of each new lowest structure.
    start_ev_per_atom : float or None
        Lowest energy of the initial population.
    start_s : float or None
        Core seconds for each structure of the initial population, the making of a pool left out.
    start_evaluations, later_evaluations : float or None
        Mean number of evaluations by the last tier of a structure of the initial population and
        of a later one.
    crystal : Crystal or None
        The lowest structure.
    source : str
        Where it is from.
    hit : Hit or None
        The reference, if it was found.
    reached_s : float or None
        Core seconds when a structure was first at or below the energy of the reference.
    sources : Counter
        Structures by generator, moves taken together.
    tiers : list of dict
        Settings of the tiers that give energies.
    """

    cell: Cell
    core_s: float
    preparation_s: float
    structures: int
    relaxed: int
    repeats: int
    failures: Counter[str]
    curve: tuple[tuple[float, float], ...]
    start_ev_per_atom: float | None
    start_s: float | None
    start_evaluations: float | None
    later_evaluations: float | None
    crystal: Crystal | None
    source: str
    hit: Hit | None
    reached_s: float | None
    sources: Counter[str]
    tiers: list[dict[str, Any]]

    @property
    def best_ev_per_atom(self) -> float | None:
        """Lowest energy of the last tier."""
        return self.curve[-1][1] if self.curve else None

    @property
    def s_per_structure(self) -> float | None:
        """Core seconds per structure, the making of a pool left out."""
        if not self.structures:
            return None
        return (self.core_s - self.preparation_s) / self.structures


def tiers_of(folder: Path) -> list[dict[str, Any]]:
    """Return the settings of the tiers of a run that give energies in eV.

    Raises
    ------
    InputError
        If somebody else began the run and its tiers name code.
    """
    with Store.read(folder) as store:
        tiers = store.meta["input"]["tier"]
    check_trusted(folder, {"tier": tiers}, trust=began_by_user(folder), remedy=NO_TRUST)
    return judging_tiers(tiers)


def read_result(folder: Path, cell: Cell, reference: RelaxedStructure | None) -> RunResult:
    """Read the store of a run and compare what it found with the reference.

    Raises
    ------
    InputError
        If there is no store.
    """
    with Store.read(folder) as store:
        told = sorted(store.records(), key=lambda item: item[0].core_s)
        meta = store.meta
        core_s = [data.get("core_s", 0.0) for _, _, data in store.events()]
        starts = [data.get("core_s", 0.0) for _, _, data in store.events("start")]
    tier = meta["input"]["tier"][-1]["name"]
    population = meta["input"]["search"].get("population", 25)
    paid = [record for record, _ in told if record.outcomes]
    energies = {
        record.number: energy for record in paid if (energy := _energy(record, tier)) is not None
    }
    lowest = min(energies, key=lambda number: energies[number], default=None)
    best = next((record for record in paid if record.number == lowest), None)
    start = [record for record in paid if record.number < population]
    later = [record for record in paid if record.number >= population]
    preparation_s = starts[0] if starts else 0.0
    start_end_s = max((record.core_s for record in start), default=0.0)
    target = None if reference is None else reference.energy_ev_per_atom
    return RunResult(
        cell=cell,
        core_s=max([*core_s, *(record.core_s for record in paid)], default=0.0),
        preparation_s=preparation_s,
        structures=len(paid),
        relaxed=len(energies),
        repeats=len(told) - len(paid),
        failures=_failures(paid),
        curve=_curve(paid, energies),
        start_ev_per_atom=min(
            (energies[record.number] for record in start if record.number in energies),
            default=None,
        ),
        start_s=(start_end_s - preparation_s) / len(start) if start else None,
        start_evaluations=_mean_evaluations(start, energies),
        later_evaluations=_mean_evaluations(later, energies),
        crystal=None if best is None else best.crystal,
        source="" if best is None else best.candidate.origin.source,
        hit=None if reference is None else find_reference(told, energies, reference),
        reached_s=next(
            (
                record.core_s
                for record in paid
                if target is not None
                and energies.get(record.number, target + 1.0) <= target + SAME_ENERGY
            ),
            None,
        ),
        sources=Counter(record.candidate.origin.family for record in paid),
        tiers=tiers_of(folder),
    )


def find_reference(
    told: Sequence[tuple[Record, SearchUpdate]],
    energies: dict[int, float],
    reference: RelaxedStructure,
) -> Hit | None:
    """Return the first structure of a run that is the reference, or None.

    Parameters
    ----------
    told
        Records and search updates in their order.
    energies
        Energy of the last tier in eV/atom by record number.
    reference
        Relaxed by that tier.
    """
    distinct = sorted(
        energies[record.number]
        for record, verdict in told
        if record.number in energies and verdict.duplicate_of is None
    )
    compared = 0
    first: Hit | None = None
    for record, verdict in told:
        energy = energies.get(record.number)
        if energy is None or verdict.duplicate_of is not None:
            continue
        if abs(energy - reference.energy_ev_per_atom) > NEAR_EV_PER_ATOM:
            continue
        compared += 1
        if compared > MOST_COMPARED:
            break
        rms = match_rms(reference.crystal, record.crystal)
        if rms is None:
            continue
        if first is None:
            rank = 1 + sum(other < energy - 1e-9 for other in distinct)
            source = record.candidate.origin.source
            first = Hit(record.core_s, rank, rms, rms, energy, source)
        elif rms < first.closest_rms:
            first = replace(first, closest_rms=rms)
    return first


def _energy(record: Record, tier: str) -> float | None:
    relaxed = record.relaxed
    return relaxed.energy_per_atom if relaxed is not None and record.tier == tier else None


def _mean_evaluations(records: Sequence[Record], energies: dict[int, float]) -> float | None:
    numbers = [
        record.relaxed.evaluations
        for record in records
        if record.relaxed is not None and record.number in energies
    ]
    return sum(numbers) / len(numbers) if numbers else None


def _failures(paid: Sequence[Record]) -> Counter[str]:
    reasons: Counter[str] = Counter()
    for record in paid:
        failure = record.failure
        if failure is not None and isinstance(failure.outcome, Failed):
            reasons[f"{failure.tier}: {failure.outcome.reason}"] += 1
    return reasons


def _curve(paid: Sequence[Record], energies: dict[int, float]) -> tuple[tuple[float, float], ...]:
    curve: list[tuple[float, float]] = []
    for record in paid:
        energy = energies.get(record.number)
        if energy is not None and (not curve or energy < curve[-1][1]):
            curve.append((record.core_s, energy))
    return tuple(curve)
