"""Relax structures of any kind by models of any kind."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.inputs import executor_section, given
from nucleate.api.models import as_tiers, has_objects, inline_executor
from nucleate.api.structures import as_items, as_source
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.report.rows import file_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from nucleate.relax.outcome import Outcome
    from nucleate.relax.settings import TierSettings
    from nucleate.report.rows import Row
    from nucleate.report.series import Tally
    from nucleate.run.listed_files import FileCrystal, Survey
    from nucleate.run.relaxation import SeriesSummary
    from nucleate.search.record import Record

    OnRecord = Callable[[Record], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Structures and what came of them.

    Attributes
    ----------
    items : iterable of FileCrystal
        The structures, in order; read again from their files where a folder was given.
    records : mapping of int to Record
        The finished ones by their place, from 0 on; read when they are asked for where a folder
        was given.
    reason : str
        Why the series stopped before its end; empty if it is complete.
    tally : Tally
        How many there are, and what became of them.
    has_files : bool
        Whether the files of the folder were written; not for more than 200 structures that a
        signal has stopped, which ``nucleate export`` writes.
    """

    items: Iterable[FileCrystal]
    records: Mapping[int, Record]
    reason: str
    tally: Tally
    has_files: bool = True

    @property
    def rows(self) -> Iterator[Row]:
        """A row for every structure, made when it is its turn."""
        return file_rows(self.items, self.records)

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of every structure: the failure if a model failed, else that of the last."""
        return _outcomes(self.items, self.records, self.reason)


def relax(
    structures: Any,
    *,
    model: Any = None,
    pressure_gpa: float = 0.0,
    allow_tension: bool = False,
    fmax_ev_per_ang: float | None = None,
    max_stress_gpa: float | None = None,
    max_steps: int | None = None,
    rattle_ang: float | None = None,
    fix_cell: bool = False,
    fix_symmetry: bool = False,
    single_point: bool = False,
    workers: int | None = None,
) -> Any:
    """Relax structures, or compute their energies, forces and stresses as given.

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
    allow_tension
        Allow a pressure below 0.
    fmax_ev_per_ang, max_stress_gpa
        Largest force and stress at the end.
    max_steps
        Maximum number of evaluations per structure.
    rattle_ang
        Standard deviation in Å of a random displacement of all coordinates before the relaxation.
    fix_cell, fix_symmetry
        Move the atoms only; keep the space group of the start.
    single_point
        Compute without relaxing.
    workers
        Worker processes; by default everything is done in this process.

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
    _check_pressure(pressure_gpa, allow_tension)
    options = _criteria(
        fmax_ev_per_ang=fmax_ev_per_ang,
        max_stress_gpa=max_stress_gpa,
        max_steps=max_steps,
        rattle_ang=rattle_ang,
        fix_cell=fix_cell,
        fix_symmetry=fix_symmetry,
        single_point=single_point,
    )
    tiers = as_tiers(model, options)
    items, is_single = as_items(structures)
    if workers is None:
        done = _in_this_process(items, tiers, pressure_gpa)
    else:
        from nucleate.run.listed_files import survey_of

        keys = given(pressure_gpa=pressure_gpa, run=given(workers=workers))
        done = _in_workers(items, survey_of(items), tiers, keys, None, None)
    outcomes = _outcomes(items, done.records, done.reason)
    return outcomes[0] if is_single else outcomes


def relax_files(
    files: Any,
    *,
    model: Any = None,
    folder: str | Path | None = None,
    pressure_gpa: float | None = None,
    allow_tension: bool = False,
    workers: int | None = None,
    executor: Any = None,
    on_start: Callable[[int], None] = lambda _: None,
    on_record: OnRecord | None = None,
    **options: Any,
) -> Series:
    """Relax structures in worker processes, and keep every outcome as soon as it is known.

    Parameters
    ----------
    files
        Paths, or structures as in :func:`relax`.
    model
        As in :func:`relax`.
    folder
        Run folder, in which ``relaxed.csv``, ``relaxed.extxyz`` and ``relaxed.db`` are written;
        the same call continues what was interrupted. Of more than 200 structures that Ctrl-C has
        stopped they are written by ``nucleate export FOLDER``.
    pressure_gpa
        External pressure in GPa.
    allow_tension
        Allow a pressure below 0.
    workers
        Worker processes; default one per processor core.
    executor
        Who starts them, as in :func:`nucleate.predict`.
    on_start, on_record
        Called with the number of structures, and with every finished record.
    options
        Criteria as in :func:`relax`.

    Raises
    ------
    InputError
        If the folder holds something else, or the model cannot be used.
    """
    from nucleate.report.series import SOON, tally_of, tally_of_store, write_series
    from nucleate.run.listed_files import survey_of
    from nucleate.run.relaxation import StoredRecords
    from nucleate.signals import is_request

    _check_pressure(pressure_gpa or 0.0, allow_tension)
    tiers = as_tiers(model, _criteria(**options))
    path = None if folder is None else Path(folder)
    items = as_items(files)[0] if path is None else as_source(files)
    survey = survey_of(items)
    on_start(survey.number)
    pressure = given(pressure_gpa=pressure_gpa)
    where = given(
        run=given(workers=workers),
        executor=None if executor is None else executor_section(executor),
    )
    summary = _in_workers(items, survey, tiers, pressure | where, path, on_record)
    records: Mapping[int, Record] = summary.records if path is None else StoredRecords(path)
    if path is None:
        tally = tally_of(file_rows(items, records, with_symmetry=False))
        return Series(items, records, summary.reason, tally)
    if survey.number > SOON and is_request(summary.reason):
        tally = tally_of_store(path)
        tally.number = survey.number
        return Series(items, records, summary.reason, tally, has_files=False)
    tally = write_series(path, file_rows(items, records))
    return Series(items, records, summary.reason, tally)


def _check_pressure(pressure_gpa: float, allow_tension: bool) -> None:
    """Raise InputError for a pressure that no relaxation takes."""
    from nucleate.run.settings import check_tension

    if not isfinite(pressure_gpa):
        raise InputError(f"pressure_gpa = {pressure_gpa}: give a finite pressure in GPa.")
    check_tension(
        pressure_gpa,
        allowed=allow_tension,
        key="pressure_gpa",
        remedy="Give allow_tension=True (--allow-tension)",
    )


def _criteria(
    *,
    fmax_ev_per_ang: float | None = None,
    max_stress_gpa: float | None = None,
    max_steps: int | None = None,
    rattle_ang: float | None = None,
    fix_cell: bool = False,
    fix_symmetry: bool = False,
    single_point: bool = False,
) -> dict[str, Any]:
    """Return the keys of a tier for the criteria of :func:`relax`.

    Raises
    ------
    InputError
        For a criterion that has no effect beside the others.
    """
    of_a_relaxation = {
        "max_steps": max_steps is not None,
        "rattle_ang": rattle_ang is not None,
        "fix_cell": fix_cell,
        "fix_symmetry": fix_symmetry,
    }
    if single_point:
        _refuse_idle("single_point", of_a_relaxation)
    if fix_cell:
        _refuse_idle("fix_cell", {"max_stress_gpa": max_stress_gpa is not None})
    if fix_symmetry:
        _refuse_idle("fix_symmetry", {"rattle_ang": rattle_ang is not None})
    return given(
        fmax_ev_per_ang=fmax_ev_per_ang,
        max_stress_gpa=max_stress_gpa,
        max_steps=max_steps,
        rattle_ang=rattle_ang,
        relax_cell=False if fix_cell else None,
        fix_symmetry=fix_symmetry or None,
        relax=False if single_point else None,
    )


def _refuse_idle(beside: str, asked: Mapping[str, bool]) -> None:
    for key, is_asked in asked.items():
        if is_asked:
            option = "--" + key.removesuffix("_gpa").removesuffix("_ang").replace("_", "-")
            raise InputError(
                f"{key} ({option}) has no effect beside {beside}; leave one of them out."
            )


def _in_this_process(
    items: list[FileCrystal], tiers: Sequence[TierSettings], pressure_gpa: float
) -> SeriesSummary:
    """Relax without worker processes and without a folder."""
    from nucleate.relax.ladder import Ladder
    from nucleate.run.campaign import Campaign
    from nucleate.run.journal import Journal
    from nucleate.run.listed_files import fixed_of, survey_of
    from nucleate.run.relaxation import Seen, SeriesSummary, pressed_tiers, trials
    from nucleate.search.listed import ListSearch

    seen = Seen(None)
    if any(isinstance(item.crystal, Crystal) for item in items):
        _log.info("%d structures to %s", len(items), " ".join(tier.name for tier in tiers))
        if not has_objects(tiers):
            tiers = pressed_tiers(tiers, pressure_gpa, survey_of(items).samples)
        with inline_executor(tiers, pressure_gpa) as executor:
            search = ListSearch(trials(items))
            Campaign(
                Journal(),
                search,
                Ladder(tiers),
                executor,
                callback=seen,
                fixed=fixed_of(items),
            ).run()
    return SeriesSummary(seen.records, "")


def _in_workers(
    items: Iterable[FileCrystal],
    survey: Survey,
    tiers: Sequence[TierSettings],
    keys: dict[str, Any],
    folder: Path | None,
    on_record: OnRecord | None,
) -> SeriesSummary:
    """Relax by an input with these keys beside its tiers."""
    from nucleate.run.new_keys import with_stored_names
    from nucleate.run.relaxation import relax_files as run_series
    from nucleate.run.settings import RelaxationSettings
    from nucleate.run.store import Store

    data: dict[str, Any] = {"tier": tiers, **keys}
    if folder is not None and Store.exists(folder):
        with Store.read(folder) as store:
            data = with_stored_names(data, store.meta.get("input", {}))
    settings = RelaxationSettings.from_dict(data)
    if folder is None and getattr(settings.executor, "keeps_files", False):
        raise InputError(
            f"executor.kind = {settings.executor.kind!r} keeps files that the nodes must see. Give "
            "a folder on a disk that they share (--out)."
        )
    executor = None
    if has_objects(settings.tier):
        executor = inline_executor(settings.tier, settings.pressure_gpa)
    return run_series(
        items,
        settings,
        survey=survey,
        keep=folder is None,
        folder=folder,
        on_record=on_record,
        executor=executor,
    )


def _outcomes(
    items: Iterable[FileCrystal], records: Mapping[int, Record], reason: str
) -> list[Outcome]:
    return [_outcome(item, records.get(place), reason) for place, item in enumerate(items)]


def _outcome(item: FileCrystal, record: Record | None, reason: str) -> Outcome:
    if not isinstance(item.crystal, Crystal):
        return Failed(FailReason.INVALID, str(item.crystal))
    if record is None or not record.outcomes:
        return Failed(FailReason.CRASHED, f"not computed: {reason or 'the series ended early'}")
    outcome = (record.failure or record.outcomes[-1]).outcome
    if isinstance(outcome, Relaxed) and item.fixed is not None:
        return replace(outcome, fixed=item.fixed)
    return outcome
