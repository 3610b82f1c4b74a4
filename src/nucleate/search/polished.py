"""The tiers of the final phase: tight relaxations of the best, and what a judge says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.relax.outcome import Relaxed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nucleate.search.record import TierOutcome

SYMMETRISED = "polished-symmetric"
"""Tier of the tight relaxations from symmetrised starts."""

RATTLED = "polished"
"""Tier of the tight relaxations from rattled starts."""

POLISHED = (SYMMETRISED, RATTLED)
"""Both are of one level of theory; the lower outcome counts."""

JUDGED = tuple(f"judge-of-{name}" for name in POLISHED)
"""Tiers of a second model, which never ranks: its outcomes are kept out of the records."""

FINAL = frozenset((*POLISHED, *JUDGED))
"""Names that no other tier may have."""

SAME_ENERGY = 5e-4
"""eV/atom; as near as this, the outcome of the symmetrised start counts."""

BY_POLISH, BY_JUDGE = "polish", "judge"
"""Sources of tiers that were added to a run."""


def in_order(items: Iterable[TierOutcome], added: Mapping[str, int]) -> tuple[TierOutcome, ...]:
    """Return the valid outcomes of a record in the order of the tiers, so that the last counts.

    Parameters
    ----------
    items
        In the order in which they were written; of several of one tier the last is valid.
    added
        Place of each tier that was added after the search, from 1 on.
    """
    latest = {item.tier: item for item in items if item.tier not in JUDGED}
    polished = [latest[name] for name in POLISHED if name in latest]
    winner = lower_of(polished)
    first = min((added.get(name, 1) for name in POLISHED if name in latest), default=1)

    def place(item: TierOutcome) -> tuple[int, bool]:
        if item.tier in POLISHED:
            return first, item is winner
        return added.get(item.tier, 0), False

    return tuple(sorted(latest.values(), key=place))


def lower_of(items: Sequence[TierOutcome]) -> TierOutcome | None:
    """Return which of the outcomes of both starts counts; None where none has an energy."""
    best: TierOutcome | None = None
    lowest = 0.0
    for item in sorted(items, key=lambda item: POLISHED.index(item.tier)):
        if not isinstance(item.outcome, Relaxed):
            continue
        enthalpy = item.outcome.enthalpy_per_atom
        if best is None or enthalpy < lowest - SAME_ENERGY:
            best, lowest = item, enthalpy
    return best


def level_of_tier(tier: str) -> str:
    """Return a tier's name, the same one for both tiers of the polish."""
    return RATTLED if tier in POLISHED else tier
