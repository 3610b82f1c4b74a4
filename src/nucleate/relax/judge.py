"""The one judge: which crystals may start, and what a relaxation has come to.

Every path asks it: the batched relaxers, the compiled classical one, external programs, and
results that are read back from folders. An engine makes a :class:`Step` of what it has computed;
:func:`judge` answers with None (carry on), `Relaxed` or `Failed`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.relax.guards import (
    SETTLED,
    check_cell,
    check_contacts,
    check_energy,
    check_finite,
    check_geometry,
    energy_floor,
    refuse_neighbours,
)
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory
    from nucleate.relax.settings import TierSettings


@dataclass(frozen=True, slots=True, eq=False)
class EngineFacts:
    """What the judge must know of an engine.

    Attributes
    ----------
    level : LevelOfTheory
        Written beside every energy.
    elements : frozenset of int or None
        Atomic numbers that it knows; None where it answers for itself.
    cutoff : float
        Å; an atom without a neighbour within it is isolated.
    pressure : float
        External pressure in eV/Å³.
    energies_are_absolute : bool
        Whether the size of an energy per atom says something, so that the energy window applies.
        False for arbitrary units, and for energies that count from free ions or nuclei.
    composition_energies : ndarray, optional
        See :class:`~nucleate.energy.model.BatchedModel`.
    """

    level: LevelOfTheory
    elements: frozenset[int] | None
    cutoff: float
    pressure: float = 0.0
    energies_are_absolute: bool = True
    composition_energies: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One evaluated geometry; energy in eV per cell, forces in eV/Å, stress in eV/Å³."""

    crystal: Crystal
    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What an engine has computed of a crystal so far.

    Attributes
    ----------
    point : Point
        The geometry evaluated last.
    start_volume : float
        Å³, of the geometry that the relaxation began with.
    evaluations, steps : int
        Energy evaluations and optimiser steps until now.
    wall_s : float
        Seconds charged to the crystal until now.
    best : Point or None
        The lowest point accepted before, which is returned where a limit ends the relaxation.
    stopped : str or None
        None while the engine can carry on; else why it cannot, empty after its regular end.
    relax_cell : bool or None
        Whether the cell moves; None: as the tier says.
    free : ndarray of bool, shape (n_atoms, 3), optional
        Fractional coordinates that may move; forces along the others do not count.
    """

    point: Point
    start_volume: float
    evaluations: int
    steps: int
    wall_s: float
    best: Point | None = None
    stopped: str | None = None
    relax_cell: bool | None = None
    free: NDArray[np.bool_] | None = None


def start(tier: TierSettings, crystal: Crystal, engine: EngineFacts) -> Failed | None:
    """Return why an engine must not be given a crystal, or None.

    Takes well under a millisecond for a cell of usual size, and looks at the cell before it looks
    for any neighbour, so that a cell given in nm or one of a million Å costs nothing.

    Parameters
    ----------
    tier
        Limits and guards.
    crystal
        Anything.
    engine
        What is known of the engine.
    """
    if crystal.n_atoms == 0:
        return Failed(FailReason.INVALID, "the cell is empty")
    largest = tier.guards.max_atoms
    if largest is not None and crystal.n_atoms > largest:
        message = f"{crystal.n_atoms} atoms, but at most {largest} are allowed (guards.max_atoms)"
        return Failed(FailReason.TOO_LARGE, message, crystal)
    present = set(crystal.numbers.tolist())
    no_elements = sorted(z for z in present if not 1 <= z <= MAX_NUMBER)
    if no_elements:
        return Failed(FailReason.INVALID, f"there are no elements Z = {no_elements}")
    unknown = sorted(present - engine.elements) if engine.elements is not None else []
    if unknown:
        message = f"the model does not know the elements Z = {unknown}"
        return Failed(FailReason.INVALID, message, crystal)
    return check_cell(tier.guards, crystal) or refuse_neighbours(
        tier.guards, crystal, engine.cutoff
    )


def check_proposal(
    tier: TierSettings, crystal: Crystal, start_volume: float, engine: EngineFacts
) -> Failed | None:
    """Return the failure of a geometry about to be evaluated, or None."""
    if not (np.isfinite(crystal.cell).all() and np.isfinite(crystal.scaled).all()):
        return Failed(FailReason.NOT_FINITE, "the geometry is not finite")
    return check_geometry(tier.guards, crystal, start_volume, engine.cutoff)


def judge(tier: TierSettings, step: Step, engine: EngineFacts) -> Outcome | None:
    """Return what a relaxation has come to, or None if it carries on.

    Parameters
    ----------
    tier
        Criteria, limits and guards.
    step
        What the engine has computed.
    engine
        What is known of it.
    """
    failure = _failure(tier, step, engine)
    if failure is not None:
        return replace(failure, wall_s=step.wall_s)
    if not tier.relax:
        return _relaxed(tier, step, step.point, engine, note="single point")
    converged = is_converged(tier, step, step.point, engine)
    limit = "" if converged else _limit_reached(tier, step)
    over = converged or bool(limit) or step.stopped is not None
    point = step.point if converged else _lowest(step, engine)
    if over or step.evaluations > SETTLED:
        for looked_at in {id(p): p for p in (step.point, point)}.values():
            failure = check_contacts(tier.guards, looked_at.crystal)
            if failure is not None:
                return replace(failure, wall_s=step.wall_s)
    if not over:
        return None
    note = step.stopped or limit or f"not converged after {step.evaluations} evaluations"
    return _relaxed(tier, step, point, engine, note=note)


def is_converged(tier: TierSettings, step: Step, point: Point, engine: EngineFacts) -> bool:
    """Return whether the criteria of force and stress are met at a point."""
    force, stress = residuals_of(step, point, engine)
    return force <= tier.fmax_ev_per_ang and (
        stress <= tier.max_stress_gpa or not _moves_cell(tier, step)
    )


def residuals_of(step: Step, point: Point, engine: EngineFacts) -> tuple[float, float]:
    """Return the largest force in eV/Å along what may move, and the largest stress left in GPa."""
    from nucleate.energy.fixed import free_forces

    forces = point.forces
    if step.free is not None:
        forces = free_forces(forces, point.crystal.cell, step.free)
    left = point.stress + engine.pressure * np.eye(3)
    force = float(np.sqrt((forces**2).sum(axis=1).max()))
    return force, float(np.abs(left).max()) * GPA_PER_EV_A3


def _failure(tier: TierSettings, step: Step, engine: EngineFacts) -> Failed | None:
    point, guards = step.point, tier.guards
    floor, ceiling = -np.inf, np.inf
    if engine.energies_are_absolute:
        ceiling = guards.energy_window_ev_per_atom[1]
        floor = energy_floor(guards, point.crystal, engine.composition_energies)
    return (
        check_finite(point.crystal, point.energy, point.forces, point.stress)
        or check_energy(
            point.crystal,
            point.energy,
            point.forces,
            step.evaluations,
            window=(floor, ceiling),
            max_force=guards.max_force_ev_per_ang,
        )
        or check_geometry(guards, point.crystal, step.start_volume, engine.cutoff)
    )


def _limit_reached(tier: TierSettings, step: Step) -> str:
    if step.evaluations >= tier.max_steps:
        return f"not converged after {step.evaluations} evaluations"
    if tier.wall_s is not None and step.wall_s > tier.wall_s:
        return f"not converged after {step.wall_s:.3g} s"
    return ""


def _lowest(step: Step, engine: EngineFacts) -> Point:
    best = step.best
    if best is None or _enthalpy(step.point, engine) <= _enthalpy(best, engine):
        return step.point
    return best


def _enthalpy(point: Point, engine: EngineFacts) -> float:
    return point.energy + engine.pressure * point.crystal.volume


def _moves_cell(tier: TierSettings, step: Step) -> bool:
    return tier.relax_cell if step.relax_cell is None else step.relax_cell


def _relaxed(
    tier: TierSettings, step: Step, point: Point, engine: EngineFacts, *, note: str
) -> Relaxed:
    force, stress = residuals_of(step, point, engine)
    converged = is_converged(tier, step, point, engine)
    return Relaxed(
        crystal=point.crystal,
        energy=float(point.energy),
        enthalpy=float(_enthalpy(point, engine)),
        forces=point.forces,
        stress_gpa=point.stress * GPA_PER_EV_A3,
        max_force=force,
        max_stress_gpa=stress,
        converged=converged,
        steps=step.steps if tier.relax else 0,
        evaluations=step.evaluations,
        wall_s=step.wall_s,
        level=engine.level,
        note="" if converged else note,
    )
