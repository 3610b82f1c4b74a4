"""Rows of the store as records and candidates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.run.codec import GEOMETRY, crystal_of
from nucleate.search.record import Record, SearchUpdate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.search.record import TierOutcome


def told_of(
    row: Sequence[Any], outcomes: Mapping[int, tuple[TierOutcome, ...]], seed: int
) -> tuple[Record, SearchUpdate]:
    """Return a finished record and what the search made of it from a row of the store."""
    _, duplicate_of, finished_s, core_s, *rest = row
    accepted, new, melted, temperature, *rest = rest
    current, best, is_target, number, asked_s, *candidate = rest
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
    )
    return record, update


def candidate_of(row: Sequence[Any]) -> Candidate:
    """Return a candidate from its columns: source, parents, detail and geometry."""
    source, parents, detail, *arrays = row
    crystal = crystal_of(dict(zip(GEOMETRY, arrays, strict=True)))
    assert crystal is not None
    return Candidate(crystal, Origin(source, tuple(json.loads(parents)), json.loads(detail)))
