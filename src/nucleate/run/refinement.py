"""A final pass: more tiers for the best structures of a run, in the same store."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.relax.ladder import Ladder
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.relax.settings import under_pressure
from nucleate.run.campaign import Campaign
from nucleate.run.events import Silent
from nucleate.run.folder import flat, may_change_of_tier
from nucleate.run.journal import RefinementJournal
from nucleate.run.lock import locked
from nucleate.run.old_keys import stored_tier
from nucleate.run.pressure import compression_of
from nucleate.run.starting import start_executor
from nucleate.run.store import Store
from nucleate.search.listed import COMPLETE, ListSearch
from nucleate.search.record import Record
from nucleate.search.search import Trial
from nucleate.signals import stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor
    from nucleate.run.settings import RefinementSettings
    from nucleate.search.record import SearchUpdate, TierOutcome


@dataclass(frozen=True, slots=True)
class RefinementSummary:
    """How a refinement ended.

    Attributes
    ----------
    n_chosen, n_through : int
        Records that were to be refined, and those that are through.
    n_with_energy : int
        Records with an energy of a tier of this refinement.
    failures : tuple of (int, str, str)
        Record, tier and message of those that a tier of this refinement failed on.
    reason : str
        Why it stopped before its end; empty if it is complete.
    """

    n_chosen: int
    n_through: int
    n_with_energy: int
    failures: tuple[tuple[int, str, str], ...]
    reason: str


def refine(
    folder: str | Path,
    settings: RefinementSettings,
    numbers: Sequence[int],
    *,
    retry: bool = False,
    on_record: Callable[[Record], None] | None = None,
    executor: Callable[[Sequence[TierSettings]], Executor] | None = None,
) -> RefinementSummary:
    """Send records of a run through further tiers; their outcomes are added to the run's store.

    The tiers become the upper end of the run's ladder. What a tier has done already, in an earlier
    start too, is not done again. Ctrl-C and SIGTERM end it after what is being written.

    Parameters
    ----------
    folder
        A run folder.
    settings
        The tiers, and where they run.
    numbers
        Records to refine, the best first.
    retry
        Repeat calculations that failed on these tiers.
    on_record
        Called with every record that is through, those of an earlier start included.
    executor
        Returns who relaxes, one relaxer for each of the tiers that it is given; default: worker
        processes.

    Raises
    ------
    InputError
        If the folder holds no search, a tier's name is taken, or an engine cannot be used.
    WorkerStartError
        If the engines cannot be loaded.
    """
    path = Path(folder)
    check_is_search(path)
    with ExitStack() as stack:
        stack.enter_context(locked(path))
        store = stack.enter_context(Store.append_to(path))
        pressure_gpa = store.meta["input"]["problem"]["pressure_gpa"]
        check_new_tiers(store, settings.tier)
        ladder = Ladder(settings.tier)
        plan = _plan(store, ladder, numbers, retry=retry)
        seen = _Seen(on_record)
        reason = ""
        if any(ladder.next_tier(_own(trial, ladder.names)) is not None for trial in plan.chosen):
            tiers = under_pressure(settings.tier, compression_of(store))
            relaxing: Executor
            if executor is None:
                relaxing = start_executor(
                    settings, tiers, path, pressure_gpa=pressure_gpa, most=len(plan.chosen)
                )
                stack.callback(relaxing.close)
            else:
                relaxing = executor(tiers)
            _add_tiers(store, settings.tier, relaxing.levels or [], plan.levels)
            campaign = Campaign(
                RefinementJournal(store),
                ListSearch(plan.chosen),
                ladder,
                relaxing,
                noted=plan.others,
                callback=seen,
            )
            stack.enter_context(stopping_on_signals(campaign.request_stop))
            reason = campaign.run().reason
        else:
            for trial in plan.chosen:
                seen.keep(_record(trial))
        unseen = (_record(trial) for trial in plan.chosen if trial.number not in seen.records)
        return _summary(
            [*seen.records.values(), *unseen],
            ladder.names,
            n_chosen=len(numbers),
            n_through=len(seen.records),
            reason="" if reason == COMPLETE else reason,
        )


def check_is_search(folder: Path) -> None:
    """Check that a folder holds a search; raises InputError."""
    with Store.read(folder) as store:
        if store.meta.get("kind") == "relax":
            raise InputError(
                f"{folder} holds relaxed structures of files, not a search. Relax those files with "
                "more tiers: `nucleate relax FILES --tier ... --tier ...`."
            )


def check_new_tiers(store: Store, tiers: Sequence[TierSettings]) -> None:
    """Check that tiers can be added to the ladder of a run, or were added by an earlier start.

    Raises
    ------
    InputError
        If a name belongs to a tier of the search, to one that was read in, or to one of other
        settings.
    """
    added = store.added_tiers()
    for tier in tiers:
        check_not_searched(store, tier.name)
        if tier.name not in added:
            continue
        before = added[tier.name]
        if before["source"] != "refine":
            raise InputError(
                f"tier.name = {tier.name!r} is a tier that was read in with `nucleate import`. "
                "Give this one another name with --name."
            )
        changed = _differences(stored_tier(before["settings"]), tier.model_dump(mode="json"))
        if changed:
            raise InputError(
                f"tier.name = {tier.name!r}: the run has such a tier with other settings "
                f"({changed}). Take them back, or give this tier another name with --name."
            )


def check_not_searched(store: Store, name: str) -> None:
    """Check that a name is not that of a tier of the search; raises InputError."""
    if name in store.tiers() and name not in store.added_tiers():
        raise InputError(
            f"tier.name = {name!r} is a tier of the search itself, whose records must stay as they "
            "are. Give this one another name with --name."
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    old, new = flat(before), flat(now)
    return ", ".join(
        f"{key}: {old.get(key)} -> {new.get(key)}"
        for key in {**old, **new}
        if old.get(key) != new.get(key)
        and not may_change_of_tier(key)
        and key.split(".")[0] != "promote"
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is to be refined, what its tiers are compared with, and levels found in the store."""

    chosen: list[Trial]
    others: list[Record]
    levels: dict[str, dict[str, str]]


def _plan(store: Store, ladder: Ladder, numbers: Sequence[int], *, retry: bool) -> _Plan:
    """Find out what the tiers have done already."""
    names = ladder.names
    tiers = store.tiers()
    first = min((tiers.index(name) for name in names if name in tiers), default=len(tiers))
    visible = {*tiers[:first], *names}
    records = {record.number: record.within(visible) for record, _ in store.records()}
    levels = {
        item.tier: asdict(item.outcome.level)
        for record in records.values()
        for item in record.within(names).outcomes
        if isinstance(item.outcome, Relaxed)
    }
    chosen = [
        _trial(_without_failures(records[number], names) if retry else records[number])
        for number in numbers
    ]
    others = [record for number, record in records.items() if number not in set(numbers)]
    return _Plan(chosen, others, levels)


def _trial(record: Record) -> Trial:
    return Trial(record.number, record.candidate, outcomes=record.outcomes)


def _record(trial: Trial) -> Record:
    return Record(trial.number, trial.candidate, trial.outcomes)


def _own(trial: Trial, names: Sequence[str]) -> tuple[TierOutcome, ...]:
    return tuple(item for item in trial.outcomes if item.tier in names)


def _add_tiers(
    store: Store,
    tiers: Sequence[TierSettings],
    levels: Sequence[dict[str, str]],
    before: Mapping[str, dict[str, str]],
) -> None:
    """Add the tiers to the run's ladder; raises InputError if a level of theory has changed."""
    now = dict(zip((tier.name for tier in tiers), levels, strict=True))
    for name, level in before.items():
        if level != now[name]:
            raise InputError(
                f"tier.name = {name!r}: its energies are those of {_words(level)}, and now it "
                f"is {_words(now[name])}; they cannot be compared. Give this tier another "
                "name with --name."
            )
    known = store.added_tiers()
    elapsed_s = max((time_s for time_s, *_ in store.events()), default=0.0)
    for tier in tiers:
        if tier.name not in known:
            settings = tier.model_dump(mode="json")
            store.add_tier(elapsed_s, tier.name, {"source": "refine", "settings": settings})


def _summary(
    records: Sequence[Record], names: Sequence[str], *, n_chosen: int, n_through: int, reason: str
) -> RefinementSummary:
    own = [(record.number, item) for record in records
           for item in record.within(names).outcomes]  # fmt: skip
    return RefinementSummary(
        n_chosen=n_chosen,
        n_through=n_through,
        n_with_energy=len({n for n, item in own if isinstance(item.outcome, Relaxed)}),
        failures=tuple(
            (number, item.tier, f"{item.outcome.reason}: {item.outcome.message}")
            for number, item in own
            if isinstance(item.outcome, Failed)
        ),
        reason=reason,
    )


class _Seen(Silent):
    """Keeps the records and passes them on."""

    def __init__(self, on_record: Callable[[Record], None] | None) -> None:
        self.records: dict[int, Record] = {}
        self._on_record = on_record

    def keep(self, record: Record) -> None:
        """Keep a record."""
        self.records[record.number] = record
        if self._on_record is not None:
            self._on_record(record)

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:  # noqa: ARG002
        """Keep it."""
        self.keep(record)


def _without_failures(record: Record, names: Sequence[str]) -> Record:
    failed = {item.tier for item in record.outcomes if isinstance(item.outcome, Failed)}
    return record.within({item.tier for item in record.outcomes} - (failed & set(names)))


def _words(level: Mapping[str, str]) -> str:
    parts = (
        level["code"],
        level["version"],
        level["model"],
        level["checkpoint"],
        level["settings"],
    )
    return " ".join(part for part in parts if part)
