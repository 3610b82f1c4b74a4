"""What a policy is, and what it learns from."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from nucleate.plugins import Component

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    State = Mapping[int, float]


RANK_SCALE = 6.0
"""Ranks over which the reward of a new minimum falls by e, as the chance to be a parent does."""


@dataclass(frozen=True, slots=True, eq=False)
class Pull:
    """What came of one candidate, as far as a policy is concerned.

    Attributes
    ----------
    arm : int
        Place of its source or move among the arms.
    after : mapping of int to float
        Enthalpy in eV/atom by tier (its place in the ladder); empty for a failure, and for a
        candidate that was not relaxed.
    before : mapping of int to float
        The same of the structure that the search stood on when the arm was chosen.
    could : int or None
        Bit k is set where arm k was possible when this one was chosen; None where the policy did
        not choose.
    is_new : bool
        It ended in a minimum that no record before had.
    rank : int
        How many known minima are lower than the new one.
    cost : float
        Estimated core-seconds of its relaxation, or of the surrogate; 0 for a repeat.
    is_repeat : bool
        Its start was tried before, so it was not relaxed.
    is_screened : bool
        A surrogate considered it and it was not finished: neither a success nor a failure.
    """

    arm: int
    after: State = field(default_factory=dict)
    before: State = field(default_factory=dict)
    could: int | None = None
    is_new: bool = False
    rank: int = 0
    cost: float = 0.0
    is_repeat: bool = False
    is_screened: bool = False

    @property
    def reward(self) -> float:
        """``exp(-rank / 6)`` for a new minimum, else 0."""
        return exp(-self.rank / RANK_SCALE) if self.is_new else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class PolicyContext:
    """What a policy gets from the search that it serves.

    Attributes
    ----------
    arms : tuple of str
        Names of the generators, then ``move:`` and the name of each move.
    weights : ndarray of float64, shape (n_arms,)
        Probabilities of the arms by the weights of the input.
    start : mapping or None
        What :meth:`Policy.learned` returned elsewhere, for arms that may differ in generators.
    """

    arms: tuple[str, ...]
    weights: NDArray[np.float64]
    start: Mapping[str, Any] | None = None


def learned_of(
    context: PolicyContext, names: Sequence[str], *, numbers: int = 1
) -> dict[str, Mapping[str, Any]]:
    """Return what was learned elsewhere, by its names; empty where there is none.

    Parameters
    ----------
    context
        What the policy gets.
    names
        Of what it learns.
    numbers
        That are learned of each arm.

    Raises
    ------
    ValueError
        If it has other names, or another number of values for an arm.
    """
    start = context.start or {}
    unknown = sorted(set(start) - set(names))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not {' or '.join(names)}")
    for name in names:
        for arm, value in start.get(name, {}).items():
            size = len(value) if isinstance(value, (tuple, list)) else 1
            if size != numbers:
                raise ValueError(f"{name} of {arm} has {size} number(s) instead of {numbers}")
    return {name: start.get(name, {}) for name in names}


class Policy(Protocol):
    """Chooses among arms; what it knows is a function of its pulls, in their order.

    ``learns`` is False for a policy that always returns the weights; ``looks`` is True for one
    whose choice depends on the structure that the search stands on.
    """

    learns: bool
    looks: bool

    def chances(self, weights: NDArray[np.float64], state: State) -> NDArray[np.float64]:
        """Return the probability of each arm.

        Parameters
        ----------
        weights
            Of the arms where nothing has been learned, shape (n_arms,); 0 for those that are not
            possible now. At least one is positive.
        state
            Enthalpy in eV/atom by tier of the structure that the search stands on; may be empty.

        Returns
        -------
        ndarray of float64, shape (n_arms,)
            Positive where the weight is, else 0; the sum is 1.
        """
        ...

    def tell(self, pull: Pull) -> None:
        """Learn what came of a candidate."""
        ...

    def learned(self) -> dict[str, Any]:
        """Return what was learned by the name of the arm, JSON-ready."""
        ...


class PolicySettings(Component):
    """Settings of a policy; ``build`` takes a :class:`PolicyContext` and returns a policy."""

    serves: ClassVar[frozenset[str]] = frozenset({"policies"})

    def build(self, context: PolicyContext) -> Policy:
        """Return the policy."""
        raise NotImplementedError
