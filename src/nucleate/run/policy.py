"""The policy of a run: where it begins, and what it has learned, from the store alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nucleate.crystal.candidate import MOVE
from nucleate.errors import InputError
from nucleate.plugins import Component, find, kinds
from nucleate.policy.ledger import Ledger
from nucleate.policy.policy import PolicyContext
from nucleate.policy.saved import SavedPolicy
from nucleate.relax.outcome import FailReason
from nucleate.run.store import Store
from nucleate.search.breeding.credit import Credit
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nucleate.policy.policy import Policy, Pull
    from nucleate.relax.settings import TierSettings
    from nucleate.run.settings import RunSettings

POLICY = "policy"
"""Kind of the event that holds the arms of a run and what its policy began with."""

COSTS = {
    "nucleate.potentials.kinds": 1e-5,
    "nucleate.networks.kinds": 2e-3,
    "nucleate.programs.kinds": 5.0,
}
"""Usual core-seconds of an energy evaluation per atom by the room of the engine; others: MLIP."""


def costs_of(tiers: Sequence[TierSettings]) -> tuple[float, ...]:
    """Return the usual core-seconds of an energy evaluation per atom on each tier."""
    return tuple(_cost_of(tier.engine.kind) for tier in tiers)


def _cost_of(kind: str) -> float:
    for group in ("models", "programs"):
        known = kinds()[group].get(kind)
        if known is not None:
            usual = COSTS["nucleate.programs.kinds" if group == "programs" else
                          "nucleate.networks.kinds"]  # fmt: skip
            return COSTS.get(known.path.rpartition(".")[0], usual)
    return COSTS["nucleate.networks.kinds"]


def policy_start(settings: RunSettings, folder: Path | None = None) -> SavedPolicy | None:
    """Return what the policy of a run begins with; None for nothing.

    Parameters
    ----------
    settings
        The input.
    folder
        The run folder: a run that is continued keeps what it began with, whatever
        ``search.policy_from`` names by now.

    Raises
    ------
    InputError
        If what ``search.policy_from`` names cannot be used.
    """
    source = getattr(settings.search, "policy_from", None)
    if source is None:
        return None
    if folder is not None and Store.exists(folder):
        with Store.read(folder) as store:
            facts = stored_facts(store)
        if facts is not None:
            return facts.start
    try:
        if not Path(source).is_dir():
            return SavedPolicy.read(source)
        with Store.read(source) as store:
            return saved_policy(store, getattr(settings.search, "policy", None))
    except InputError as error:
        raise InputError(f"search.policy_from = {source!r}: {error}") from error


class PolicyFacts(BaseModel):
    """What the learning of a run can be repeated from, together with its records.

    Attributes
    ----------
    arms : tuple of str
        Generators, then ``move:`` and the name of each move.
    weights : tuple of float
        Of the arms where nothing has been learned.
    tiers : tuple of str
        In the order of the ladder.
    costs : tuple of float
        Usual core-seconds of an energy evaluation per atom on each tier.
    start : SavedPolicy or None
        What the policy began with.
    search : str
        Kind of a search that learns itself how often its own operators, which stand in place of the
        moves, are used; empty where a policy does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    arms: tuple[str, ...]
    weights: tuple[Annotated[float, Field(ge=0.0, le=1.0)], ...]
    tiers: tuple[str, ...]
    costs: tuple[Annotated[float, Field(ge=0.0, allow_inf_nan=False)], ...]
    start: SavedPolicy | None = None
    search: str = ""

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if len(self.weights) != len(self.arms) or len(self.costs) != len(self.tiers):
            raise ValueError("a weight of every arm and a cost of every tier are needed")
        return self


def keep_policy(store: Store, facts: Mapping[str, Any]) -> None:
    """Write the arms and the start into the store of a run that does not hold them yet."""
    if facts and stored_facts(store) is None and not store.n_records():
        store.add_event(0.0, POLICY, facts)
        store.commit()


def stored_facts(store: Store) -> PolicyFacts | None:
    """Return arms, weights and start of the policy of a run; None for a run without valid ones."""
    for _, _, data in store.events(POLICY):
        try:
            return PolicyFacts.model_validate(data)
        except ValidationError:
            return None
    return None


def _settings_of(store: Store) -> Component:
    """Return the policy of a run; ``fixed`` in place of one that is not installed.

    Code that only the input of the run names is not imported: the folder may be of others.
    """
    given = (store.meta.get("input", {}).get("search") or {}).get("policy")
    kind = given.get("kind") if isinstance(given, dict) else None
    if not isinstance(kind, str) or ":" in kind:
        return find("fixed", "policies").model_validate({})
    try:
        return find(kind, "policies").model_validate(given)
    except (InputError, ValidationError):
        return find("fixed", "policies").model_validate({})


@dataclass(slots=True)
class ArmCount:
    """What came of one source or move.

    Attributes
    ----------
    relaxed, repeats, failed, considered : int
        Candidates with an energy, those that repeated another and were not relaxed, those without
        an energy, and those that a surrogate considered and that were not finished.
    new : int
        New distinct minima.
    low : float
        The same, each weighted by ``exp(-rank / 6)`` with its rank when it was found.
    wall_s, considered_s : float
        Seconds of its relaxations, and of the surrogate for those that were not finished.
    """

    relaxed: int = 0
    repeats: int = 0
    failed: int = 0
    considered: int = 0
    new: int = 0
    low: float = 0.0
    wall_s: float = 0.0
    considered_s: float = 0.0

    @property
    def tried(self) -> int:
        """Candidates that were relaxed or considered."""
        return self.relaxed + self.failed + self.considered


@dataclass(frozen=True, slots=True, eq=False)
class PolicyView:
    """What the policy of a run has learned.

    Attributes
    ----------
    kind : str
        Of the policy.
    arms : tuple of str
        Sources, then moves.
    weights, chances : tuple of float
        Probability of each arm at first, and now from the best structure.
    counts : dict of str to ArmCount
        By arm.
    learned : dict
        What the policy has learned.
    """

    kind: str
    arms: tuple[str, ...]
    weights: tuple[float, ...]
    chances: tuple[float, ...]
    counts: dict[str, ArmCount] = field(default_factory=dict)
    learned: dict[str, Any] = field(default_factory=dict)


def read_policy(store: Store, settings: Component | None = None) -> PolicyView | None:
    """Return what the policy of a run has learned, from its records.

    Parameters
    ----------
    store
        Open for reading; the run may still be writing to it.
    settings
        A policy that is to learn from the records instead of the run's own.

    Returns
    -------
    PolicyView or None
        None for a run without sources and moves, or from before there were policies.
    """
    facts = stored_facts(store)
    if facts is None:
        return None
    own = _settings_of(store)
    is_own = settings is None or settings.kind == own.kind
    settings = own if settings is None or is_own else settings
    start = facts.start if is_own else None
    arms, weights = facts.arms, np.array(facts.weights)
    policy: Policy = settings.build(
        PolicyContext(arms, weights, None if start is None else start.learned)
    )
    credit = _credit_of(facts) if is_own else None
    ledger = Ledger(arms, facts.costs)
    counts = {arm: ArmCount() for arm in arms}
    lowest: tuple[tuple[int, float], int] | None = None
    for number, arm, pull, wall_s, accepted in _pulls(store, ledger, facts.tiers):
        if pull is None:
            continue
        policy.tell(pull)
        if credit is not None and not pull.is_screened:
            credit.note(arm, success=accepted)
        _count(counts[arm], pull, wall_s)
        if pull.after:
            place = (-max(pull.after), pull.after[max(pull.after)]), number
            lowest = place if lowest is None else min(place, lowest)
    state = {} if lowest is None else ledger.state(lowest[1])
    chances = policy.chances(weights, state) if weights.sum() > 0.0 else weights
    if credit is not None:
        places = [arms.index(name) for name in credit.names]
        chances[places] = weights[places].sum() * credit.chances()
    return PolicyView(
        settings.kind if credit is None else facts.search,
        arms,
        tuple(weights.tolist()),
        tuple(chances.tolist()),
        counts,
        policy.learned(),
    )


def _credit_of(facts: PolicyFacts) -> Credit | None:
    """Return the success of the operators of a search that learns it; None for another one."""
    pairs = zip(facts.arms, facts.weights, strict=True)
    own = {arm: weight for arm, weight in pairs if arm.startswith(MOVE) and weight > 0.0}
    return Credit(own) if facts.search and own else None


def saved_policy(store: Store, settings: Component | None = None) -> SavedPolicy:
    """Return what the policy of a run has learned, for a file or another run.

    Parameters
    ----------
    store
        Open for reading.
    settings
        The policy that is to begin with it; default one of the run's kind.

    Raises
    ------
    InputError
        If the run has learned nothing that this policy can begin with.
    """
    search = (store.meta.get("input", {}).get("search") or {}).get("kind", "")
    facts = stored_facts(store)
    if facts is None or facts.search:
        words = "learns only how often its own operators are used" if facts else "has no policy"
        raise InputError(
            f"its search is {clean(str(search))!r}, which {words}. Name a run of lowest-minima or "
            "basin-hopping with policy = 'bandit' or 'reinforce'."
        )
    own = _settings_of(store).kind
    wanted = settings if settings is not None and settings.kind != "fixed" else None
    kind = own if wanted is None else wanted.kind
    view = None
    if kind == own or kind != "reinforce":
        view = read_policy(store, wanted)
    if view is None or not view.learned:
        if kind == "fixed":
            raise InputError(
                "its policy is 'fixed', which learns nothing that a file could hold. Name a run "
                "with policy = 'bandit' or 'reinforce'; a bandit may begin with this run itself "
                "(search.policy = 'bandit', policy_from = the run folder)."
            )
        other = ", or give policy = 'bandit', which learns from a run of any policy"
        raise InputError(
            f"its policy is {own!r}, from which {kind!r} learns nothing. Name a run with policy = "
            f"{kind!r}{'' if kind == 'bandit' else other}."
        )
    formula = str(store.meta.get("formula", ""))
    return SavedPolicy.of(view.kind, formula, view.arms, view.weights, view.learned)


def _pulls(
    store: Store, ledger: Ledger, tiers: Sequence[str]
) -> Iterator[tuple[int, str, Pull | None, float, bool]]:
    """Yield number, arm, pull, seconds and acceptance of every record in the search's order."""
    places = {name: place for place, name in enumerate(tiers)}
    for head, group in groupby(store.search_rows(), key=lambda row: row[:6]):
        number, source, parents, detail, n_atoms, duplicate_of = head
        accepted = False
        after: dict[int, float] = {}
        evaluations: dict[int, tuple[int, int | None]] = {}
        wall_s, is_screened = 0.0, False
        for tier, status, reason, enthalpy, evaluated, seconds, used in (row[6:] for row in group):
            accepted = bool(used)
            place = places.get(tier)
            if place is None:
                continue
            is_relaxed = status == "relaxed"
            if is_relaxed:
                after[place] = enthalpy / n_atoms
            evaluations[place] = (n_atoms, evaluated if is_relaxed else None)
            wall_s += seconds
            is_screened |= reason == FailReason.SCREENED
        pull = ledger.pull(
            number,
            source,
            json.loads(detail),
            json.loads(parents),
            after=after,
            evaluations=evaluations,
            duplicate_of=duplicate_of,
            is_screened=is_screened,
        )
        yield number, source, pull, wall_s, accepted


def _count(count: ArmCount, pull: Pull, wall_s: float) -> None:
    if pull.is_screened:
        count.considered += 1
        count.considered_s += wall_s
        return
    count.repeats += pull.is_repeat
    count.relaxed += bool(pull.after)
    count.failed += not pull.after and not pull.is_repeat
    count.new += pull.is_new
    count.low += pull.reward
    count.wall_s += wall_s
