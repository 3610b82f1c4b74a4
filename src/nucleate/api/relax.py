"""Relax structures of any kind by models of any kind."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.inputs import given
from nucleate.api.models import as_tiers, tier_dicts
from nucleate.api.structures import as_items
from nucleate.errors import InputError
from nucleate.relax.ladder import Ladder
from nucleate.relax.outcome import Failed, FailReason
from nucleate.relax.series import relax_all
from nucleate.report.rows import file_rows
from nucleate.search.record import TierOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.api.models import Tier
    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome
    from nucleate.report.rows import Row
    from nucleate.run.relaxation import FileCrystal
    from nucleate.search.record import Record


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
    options = criteria(
        fmax_ev_per_ang=fmax_ev_per_ang,
        max_stress_gpa=max_stress_gpa,
        max_steps=max_steps,
        fix_cell=fix_cell,
        fix_symmetry=fix_symmetry,
        single_point=single_point,
    )
    tiers = as_tiers(model, options)
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


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Structures of files and what came of them.

    Attributes
    ----------
    items : list of FileCrystal
        The structures, in order.
    records : dict of int to Record
        The finished ones by their place, from 0 on.
    reason : str
        Why the series stopped before its end; empty if it is complete.
    """

    items: list[FileCrystal]
    records: dict[int, Record]
    reason: str

    @property
    def rows(self) -> list[Row]:
        """A row for every structure."""
        return file_rows(self.items, self.records)


def relax_files(
    files: Any,
    *,
    model: Any = None,
    folder: str | Path | None = None,
    pressure_gpa: float | None = None,
    workers: int | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_record: Callable[[Record], None] | None = None,
    **options: Any,
) -> Series:
    """Relax structures in worker processes, and keep every outcome as soon as it is there.

    Parameters
    ----------
    files
        Paths, or structures as of :func:`relax`.
    model
        As of :func:`relax`, but no Python object.
    folder
        Run folder, in which ``relaxed.csv``, ``relaxed.extxyz`` and ``relaxed.db`` are written;
        the same call continues what was interrupted.
    pressure_gpa
        External pressure in GPa.
    workers
        Worker processes; default one per processor core.
    on_start, on_record
        Called with the number of structures, and with every finished record.
    options
        Criteria as of :func:`relax`.

    Raises
    ------
    InputError
        If the folder holds something else, or the model cannot be used.
    """
    from nucleate.report.export import write_relaxed
    from nucleate.run.relaxation import relax_files as run_series
    from nucleate.run.settings import RelaxationSettings

    settings = RelaxationSettings.from_dict(
        {
            "tier": tier_dicts(model, criteria(**options)),
            "run": given(workers=workers),
            **given(pressure_gpa=pressure_gpa),
        }
    )
    path = None if folder is None else Path(folder)
    items, _ = as_items(files)
    on_start(len(items))
    summary = run_series(items, settings, folder=path, on_record=on_record)
    if path is not None:
        write_relaxed(path, items, summary.records)
    return Series(items, summary.records, summary.reason)


def criteria(
    *,
    fmax_ev_per_ang: float | None = None,
    max_stress_gpa: float | None = None,
    max_steps: int | None = None,
    fix_cell: bool = False,
    fix_symmetry: bool = False,
    single_point: bool = False,
) -> dict[str, Any]:
    """Return the keys of a tier for the criteria of :func:`relax`."""
    return given(
        fmax_ev_per_ang=fmax_ev_per_ang,
        max_stress_gpa=max_stress_gpa,
        max_steps=max_steps,
        relax_cell=False if fix_cell else None,
        fix_symmetry=fix_symmetry or None,
        relax=False if single_point else None,
    )


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
        _log.info("%d structures to %s", len(due), tier.settings.name)
        for number, outcome in relax_all(tier.relaxer(pressure_gpa), due.items()):
            ladder.note(tier.settings.name, outcome)
            steps[number].append(TierOutcome(tier.settings.name, outcome))
    return {number: done[-1].outcome for number, done in steps.items()}


def _geometry(crystal: Crystal, steps: Sequence[TierOutcome]) -> Crystal:
    return getattr(steps[-1].outcome, "crystal", crystal) if steps else crystal
