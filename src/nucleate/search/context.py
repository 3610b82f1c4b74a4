"""What a search gets from the run that it serves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nucleate.search.stop import StopSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.space import SearchSpace
    from nucleate.policy.saved import SavedPolicy
    from nucleate.search.search import Source
    from nucleate.search.target import Target


@dataclass(frozen=True, slots=True)
class SearchContext:
    """What a search gets from the run that it serves.

    Attributes
    ----------
    space : SearchSpace
        What is allowed.
    generator : Source
        Source of new structures.
    moves : sequence or None
        Moves that replace the shipped ones, in any form that
        :func:`nucleate.moves.settings.as_move` takes; None for those.
    tiers : tuple of str
        Names of the tiers of the ladder, cheapest first.
    target : Target or None
        Structure at which the run stops.
    seed : int
        Of all random numbers.
    stop : StopSettings
        When the run stops. The run itself sees to it.
    costs : tuple of float
        Usual core-seconds of an energy evaluation per atom on each tier; empty where all cost the
        same.
    policy_start : SavedPolicy or None
        What a policy has learned elsewhere.
    """

    space: SearchSpace
    generator: Source
    moves: Sequence[object] | None = None
    tiers: tuple[str, ...] = ("tier",)
    target: Target | None = None
    seed: int = 0
    stop: StopSettings = field(default_factory=lambda: StopSettings.model_validate({}))
    costs: tuple[float, ...] = ()
    policy_start: SavedPolicy | None = None
