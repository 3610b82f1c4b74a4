"""Rows of a store as records."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.run.codec import COLUMNS, GEOMETRY, crystal_of, decode
from nucleate.search.polished import in_order
from nucleate.search.record import Record, SearchUpdate, TierOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from nucleate.energy.level import LevelOfTheory


def outcomes_of(
    rows: Iterable[Sequence[Any]], levels: Mapping[int, LevelOfTheory], added: Sequence[str]
) -> dict[int, tuple[TierOutcome, ...]]:
    """Return the outcomes by candidate, of each tier the valid one, in the order of the ladder.

    Parameters
    ----------
    rows
        Candidate, tier and columns of an outcome, in the order in which they were written.
    levels
        Levels of theory by their key.
    added
        Tiers that were added after the search, in order.
    """
    found: dict[int, list[TierOutcome]] = {}
    for number, item in steps_of(rows, levels):
        found.setdefault(number, []).append(item)
    depths = {name: depth for depth, name in enumerate(added, start=1)}
    if depths:
        return {number: in_order(items, depths) for number, items in found.items()}
    return {number: tuple(items) for number, items in found.items()}


def steps_of(
    rows: Iterable[Sequence[Any]], levels: Mapping[int, LevelOfTheory]
) -> Iterator[tuple[int, TierOutcome]]:
    """Yield the candidate and the outcome of each row."""
    for number, tier, *values in rows:
        row = dict(zip(COLUMNS, values, strict=True))
        row["level"] = levels.get(row["level"])
        yield number, TierOutcome(tier, decode(row))


def told_of(
    row: Sequence[Any], outcomes: Mapping[int, tuple[TierOutcome, ...]], seed: int
) -> tuple[Record, SearchUpdate]:
    """Return the record and the update of a row."""
    _, duplicate_of, finished_s, core_s, *rest = row
    accepted, new, melted, temperature, *rest = rest
    current, best, is_target, number, asked_s, memo, *candidate = rest
    record = Record(
        number=number,
        candidate=candidate_of(candidate),
        outcomes=outcomes.get(number, ()),
        duplicate_of=duplicate_of,
        seed=seed,
        asked_s=asked_s,
        finished_s=finished_s,
        core_s=core_s,
    )
    update = SearchUpdate(
        accepted=bool(accepted),
        new_minimum=bool(new),
        duplicate_of=duplicate_of,
        melted=bool(melted),
        temperature=temperature,
        current=current,
        best=best,
        is_target=bool(is_target),
        memo=memo or b"",
    )
    return record, update


def candidate_of(row: Sequence[Any]) -> Candidate:
    """Return the candidate of the last six columns."""
    source, parents, detail, *arrays = row
    crystal = crystal_of(dict(zip(GEOMETRY, arrays, strict=True)))
    assert crystal is not None
    return Candidate(crystal, Origin(source, tuple(json.loads(parents)), json.loads(detail)))
