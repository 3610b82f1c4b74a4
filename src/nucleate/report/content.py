"""What the store of a run holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.report.findings import read_findings
from nucleate.report.naming import libraries_of
from nucleate.report.ranking import LIKELY, rank_structures
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.report.findings import Findings
    from nucleate.report.ranking import RankedStructure
    from nucleate.search.record import Record, SearchUpdate


@dataclass(frozen=True, slots=True)
class RunContent:
    """What the store of a run holds.

    Attributes
    ----------
    meta : dict
        Input, versions, machine, seed.
    told : list of (Record, SearchUpdate)
        Finished records in the order in which the search received them.
    tiers : tuple of str
        Names of the tiers that saw any record, in the order of the ladder.
    added : tuple of str
        Names of the tiers that were added after the search.
    ladder : tuple of str
        Names of all tiers.
    findings : Findings or None
        What the final phase found, where there was one.
    """

    meta: dict[str, Any]
    told: list[tuple[Record, SearchUpdate]]
    tiers: tuple[str, ...]
    added: tuple[str, ...] = ()
    ladder: tuple[str, ...] = ()
    findings: Findings | None = None

    @property
    def pressure_gpa(self) -> float:
        """External pressure in GPa."""
        return float(self.meta.get("input", {}).get("problem", {}).get("pressure_gpa", 0.0))

    def ranked(self, order: str = LIKELY) -> list[RankedStructure]:
        """Return the distinct structures, best first; see :func:`rank_structures`."""
        return rank_structures(
            [record for record, _ in self.told],
            self.tiers,
            added=self.added,
            findings=self.findings,
            order=order,
            libraries=libraries_of(self.meta),
        )


def check_is_search(store: Store, folder: str | Path) -> None:
    """Raise InputError if a store holds relaxed structures of files."""
    if store.meta.get("kind") == "relax":
        raise InputError(
            f"{folder} holds relaxed structures of files, not a search. Read its relaxed.csv "
            "and relaxed.extxyz."
        )


def read_run(folder: str | Path) -> RunContent:
    """Read the store of a run, which may be in progress.

    Raises
    ------
    InputError
        If the folder holds no search.
    """
    with Store.read(folder) as store:
        check_is_search(store, folder)
        told = list(store.records())
        tiers = tiers_of(told, store.tiers())
        return RunContent(
            store.meta,
            told,
            tiers,
            tuple(store.added_tiers()),
            store.tiers() or tiers,
            read_findings(store),
        )


def searched_tier(content: RunContent) -> str | None:
    """Return the highest tier of the search itself that gave an energy; None where none did."""
    reached = {tier for record, _ in content.told for tier in record.enthalpies()}
    searched = [tier for tier in content.tiers if tier not in content.added]
    return next((tier for tier in reversed(searched) if tier in reached), None)


def tiers_of(told: Sequence[tuple[Record, SearchUpdate]], ladder: Sequence[str]) -> tuple[str, ...]:
    """Return the tiers that saw any record in the order of the ladder, as far as it is known."""
    order: dict[str, int] = {}
    for record, _ in told:
        for position, item in enumerate(record.outcomes):
            order[item.tier] = max(position, order.get(item.tier, 0))
    if set(order) <= set(ladder):
        return tuple(tier for tier in ladder if tier in order)
    return tuple(sorted(order, key=lambda tier: order[tier]))
