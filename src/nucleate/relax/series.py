"""Relax a series of crystals with one relaxer, or climb a ladder of tiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome
    from nucleate.relax.relaxer import Relaxer


def relax_all(
    relaxer: Relaxer, crystals: Iterable[tuple[int, Crystal]]
) -> Iterator[tuple[int, Outcome]]:
    """Yield (key, outcome) of every crystal as it ends, not in the order given.

    Parameters
    ----------
    relaxer
        Must be empty.
    crystals
        Keys and crystals; drawn only when there is room, so that it may be endless.
    """
    source = iter(crystals)
    exhausted, in_flight = False, 0
    while True:
        while not exhausted and relaxer.free_slots() > 0:
            item = next(source, None)
            if item is None:
                exhausted = True
            else:
                relaxer.add(*item)
                in_flight += 1
        if not in_flight:
            return
        for ended in relaxer.step():
            in_flight -= 1
            yield ended
