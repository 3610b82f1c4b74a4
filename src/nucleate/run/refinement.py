"""A final pass: more tiers for the best structures of a run, in the same store."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.relax.ladder import Ladder
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.run.climb import Climb
from nucleate.run.folder import flat, locked, may_change_of_tier
from nucleate.run.pool import Pool
from nucleate.run.settings import spec_of
from nucleate.run.signals import stopping_on_signals
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nucleate.relax.settings import TierSettings
    from nucleate.run.settings import RefinementSettings
    from nucleate.search.record import Record


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
) -> RefinementSummary:
    """Send records of a run through more tiers; their outcomes are added to the run's store.

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
        Try again what these tiers have failed on.
    on_record
        Called with every record that is through, those of an earlier start included.

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
        climb = _Refinement(settings.tier, store, numbers, retry=retry, on_record=on_record)
        if climb.n_pending:
            workers = min(settings.run.n_workers, climb.n_pending)
            spec = spec_of(settings.tier, pressure_gpa, settings.run)
            pool = stack.enter_context(Pool(spec, workers=workers))
            stack.enter_context(stopping_on_signals(climb.request_stop))
            climb.run(pool)
        return climb.summary(len(numbers))


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
        changed = _differences(before["settings"], tier.model_dump(mode="json"))
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


class _Refinement(Climb):
    """Records of a run on their way through more tiers."""

    start_event, stop_event = "refine-start", "refine-stop"

    def __init__(
        self,
        tiers: Sequence[TierSettings],
        store: Store,
        numbers: Sequence[int],
        *,
        retry: bool,
        on_record: Callable[[Record], None] | None,
    ) -> None:
        super().__init__(Ladder(tiers), store, on_record)
        self._settings = {tier.name: tier.model_dump(mode="json") for tier in tiers}
        self._numbers = numbers
        self._levels: dict[str, dict[str, str]] = {}
        self._take_up(retry)

    def run(self, pool: Pool) -> None:
        """Add the tiers to the run's ladder, then go on as every climb."""
        from nucleate.run.pool import wait_until_ready

        levels = dict(zip(self._settings, wait_until_ready(pool), strict=True))
        for name, level in self._levels.items():
            if level != levels[name]:
                raise InputError(
                    f"tier.name = {name!r}: its energies are those of {_words(level)}, and now it "
                    f"is {_words(levels[name])}; they cannot be compared. Give this tier another "
                    "name with --name."
                )
        known = self._store.added_tiers()
        for name, settings in self._settings.items():
            if name not in known:
                self._store.add_tier(
                    self.elapsed_s, name, {"source": "refine", "settings": settings}
                )
        super().run(pool)

    def summary(self, n_chosen: int) -> RefinementSummary:
        """Return how it ended."""
        records = (*self.records.values(), *self._pending.values())
        own = [(record.number, item) for record in records
               for item in record.within(self._ladder.names).outcomes]  # fmt: skip
        return RefinementSummary(
            n_chosen=n_chosen,
            n_through=len(self.records),
            n_with_energy=len({n for n, item in own if isinstance(item.outcome, Relaxed)}),
            failures=tuple(
                (number, item.tier, f"{item.outcome.reason}: {item.outcome.message}")
                for number, item in own
                if isinstance(item.outcome, Failed)
            ),
            reason=self.stop_request,
        )

    def _take_up(self, retry: bool) -> None:
        """Find out what the tiers have done already; what is left becomes pending."""
        names = self._ladder.names
        ladder = self._store.tiers()
        first = min((ladder.index(name) for name in names if name in ladder), default=len(ladder))
        visible = {*ladder[:first], *names}
        records = {record.number: record.within(visible) for record, _ in self._store.records()}
        self.note(records.values())
        for record in records.values():
            for item in record.within(names).outcomes:
                if isinstance(item.outcome, Relaxed):
                    self._levels[item.tier] = asdict(item.outcome.level)
        for number in self._numbers:
            record = _without_failures(records[number], names) if retry else records[number]
            if self.next_tier(record) is None:
                self.end(record)
            else:
                self._pending[number] = record


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
