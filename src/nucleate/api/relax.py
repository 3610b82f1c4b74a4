"""Relax structures of any kind by models of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.api.models import as_tiers
from nucleate.api.structures import as_items
from nucleate.errors import InputError
from nucleate.relax.ladder import Ladder
from nucleate.relax.outcome import Failed, FailReason
from nucleate.relax.series import relax_all
from nucleate.search.record import TierOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.api.models import Tier
    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome


def relax(
    structures: Any,
    *,
    model: Any = None,
    pressure_gpa: float = 0.0,
    fmax_ev_per_ang: float | None = None,
    max_stress_gpa: float | None = None,
    max_steps: int | None = None,
    fix_cell: bool = False,
    fix_symmetry: bool = False,
    single_point: bool = False,
) -> Any:
    """Relax structures, or compute their energies, forces and stresses as they are.

    Parameters
    ----------
    structures
        ASE ``Atoms``, pymatgen ``Structure``, :class:`~nucleate.Crystal`, a trial or candidate,
        the path of a file, or a sequence of these.
    model
        A name (``"chgnet"``), ``"kind:model"`` (``"mace:medium-mpa-0"``), the path of a force
        field, an ASE calculator, a batched model, settings, or a list of these: then each
        structure goes from one to the next. Default CHGNet.
    pressure_gpa
        External pressure in GPa.
    fmax_ev_per_ang, max_stress_gpa
        Largest force and stress at the end.
    max_steps
        Most evaluations per structure.
    fix_cell, fix_symmetry
        Move the atoms only; keep the space group of the start.
    single_point
        Compute without relaxing.

    Returns
    -------
    Relaxed or Failed, or a list of them
        In the order given; a list unless a single structure was given. A structure that fails on
        a later model of several is a ``Failed``.

    Raises
    ------
    InputError
        If a structure, the model or an option cannot be used.

    Examples
    --------
    >>> from ase.build import bulk
    >>> from ase.calculators.emt import EMT
    >>> import nucleate as nc
    >>> relaxed = nc.relax(bulk("Cu", "fcc", a=3.7), model=EMT())
    >>> relaxed.converged, round(relaxed.energy_per_atom, 2)
    (True, -0.01)
    """
    options = {
        "fmax": fmax_ev_per_ang,
        "max_stress_gpa": max_stress_gpa,
        "max_steps": max_steps,
        "relax_cell": False if fix_cell else None,
        "fix_symmetry": fix_symmetry or None,
        "relax": False if single_point else None,
    }
    tiers = as_tiers(model, {key: value for key, value in options.items() if value is not None})
    items, is_single = as_items(structures)
    outcomes: list[Outcome] = [Failed(FailReason.INVALID, str(item.crystal)) for item in items]
    good = {
        number: item.crystal
        for number, item in enumerate(items)
        if not isinstance(item.crystal, InputError)
    }
    for number, outcome in _climb(tiers, good, pressure_gpa).items():
        outcomes[number] = outcome
    return outcomes[0] if is_single else outcomes


def _climb(
    tiers: Sequence[Tier], crystals: dict[int, Crystal], pressure_gpa: float
) -> dict[int, Outcome]:
    """Return the last outcome of each crystal; each tier is finished before the next begins."""
    ladder = Ladder([tier.settings for tier in tiers])
    steps: dict[int, list[TierOutcome]] = {number: [] for number in crystals}
    for place, tier in enumerate(tiers):
        due = {n: _geometry(crystals[n], steps[n]) for n in steps
               if ladder.next_tier(steps[n]) == place}  # fmt: skip
        if not due:
            continue
        for number, outcome in relax_all(tier.relaxer(pressure_gpa), due.items()):
            ladder.note(tier.settings.name, outcome)
            steps[number].append(TierOutcome(tier.settings.name, outcome))
    return {number: done[-1].outcome for number, done in steps.items()}


def _geometry(crystal: Crystal, steps: Sequence[TierOutcome]) -> Crystal:
    return getattr(steps[-1].outcome, "crystal", crystal) if steps else crystal
