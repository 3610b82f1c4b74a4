"""The check of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.search.book import trial_of
from nucleate.search.checked import check_trial
from nucleate.search.context import SearchContext
from nucleate.search.record import Record, SearchUpdate, TierOutcome
from nucleate.search.search import SearchProgress
from nucleate.testing.common import component_from, name_of, random_mix, require, space_of

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal
    from nucleate.plugins import Component
    from nucleate.search.search import Search, Trial

TIER = "check"
LEVEL = LevelOfTheory("nucleate", "1", "energies of a check")
REQUIRED = ("ask", "tell", "restore", "stop_reason", "progress")


def check_search(
    search: Any,
    formula: str = "CaTiO3",
    *,
    max_atoms: int = 10,
    trials: int = 24,
    in_flight: int = 3,
    seed: int = 0,
) -> None:
    """Check that a search keeps its contract.

    Its trials must be crystals of the space with numbers of their own, and must follow from the
    seed and the order of the calls alone, global random numbers included. A new search that is
    given the trials and records of an interrupted one must continue as that would have, wherever
    it was interrupted. Failures and repeats are reported too.

    Parameters
    ----------
    search
        Kind, component or its class.
    formula, max_atoms
        The search space.
    trials
        How many to ask for.
    in_flight
        How many are asked for before the first record is reported.
    seed
        Of the random numbers of the energies, and the seed of the context.

    Raises
    ------
    ContractError
        With what is broken.
    InputError
        If it is not a search.
    """
    settings = component_from(search, "searches")
    play = _Play(settings, formula, max_atoms, seed)
    np.random.seed(1)  # noqa: NPY002 - must not matter
    whole = play.new()
    ahead: list[int] = []
    asked = play.through(whole, [], 0, trials, in_flight, ahead)
    np.random.seed(2)  # noqa: NPY002
    repeated = play.through(play.new(), [], 0, trials, in_flight)
    require(_alike(asked, repeated), play.name, "asks for other trials when it is run again")
    numbers = [trial.number for trial in asked]
    require(len(set(numbers)) == len(numbers), play.name, "gives two trials the same number")
    for told in range(1, max(len(asked) - in_flight, 2), max(len(asked) // 5, 1)):
        before = asked[: ahead[told]] if told < len(ahead) else asked
        continued = play.new()
        for trial in before[:told]:
            record = play.record(trial)
            continued.restore(trial_of(record))
            _tell(continued, record, play.name)
        for trial in before[told:]:
            continued.restore(trial)
        rest = play.through(continued, before, told, trials, in_flight)
        require(
            _alike(asked, rest),
            play.name,
            f"continues otherwise after an interruption with {told} records told and "
            f"{len(before) - told} trials in flight",
        )


class _Play:
    """A space, a generator, and energies that are a function of the geometry."""

    def __init__(self, settings: Component, formula: str, max_atoms: int, seed: int) -> None:
        self.name = name_of(settings)
        self._settings = settings
        self._space = space_of(formula, max_atoms)
        self._seed = seed

    def new(self) -> Search:
        """Return a new search."""
        context = SearchContext(
            self._space, random_mix(self._space), tiers=(TIER,), seed=self._seed
        )
        search = self._settings.build(context)
        missing = [name for name in REQUIRED if not hasattr(search, name)]
        if missing:
            raise InputError(f"{self.name} builds a search that has no {', '.join(missing)}.")
        return search

    def through(
        self,
        search: Search,
        asked: list[Trial],
        told: int,
        trials: int,
        in_flight: int,
        ahead: list[int] | None = None,
    ) -> list[Trial]:
        """Ask and tell until all trials are asked for; return them, those before included.

        ``ahead`` becomes the number of trials that were asked for before each record was reported.
        """
        asked = list(asked)
        while len(asked) < trials and search.stop_reason() is None:
            if len(asked) - told < in_flight:
                trial = search.ask()
                if trial is not None:
                    check_trial(trial, search, self._space)
                    asked.append(trial)
                    continue
                if told == len(asked):
                    break
            if ahead is not None:
                ahead.append(len(asked))
            _tell(search, self.record(asked[told]), self.name)
            told += 1
        if not asked:
            raise InputError(f"{self.name} asked for nothing. Give another space.")
        return asked

    def record(self, trial: Trial) -> Record:
        """Return what came of a trial: a made-up minimum, and now and then a failure."""
        if trial.duplicate_of is not None:
            return Record(trial.number, trial.candidate, (), trial.duplicate_of, self._seed)
        crystal = trial.candidate.crystal
        outcome = _outcome(crystal) if trial.number % 7 != 3 else _failure()
        return Record(
            trial.number, trial.candidate, (TierOutcome(TIER, outcome),), None, self._seed
        )


def _outcome(crystal: Crystal) -> Relaxed:
    energy = float(np.cos(7.0 * crystal.lengths.sum()) - 5.0) * crystal.n_atoms
    return Relaxed(
        crystal=crystal,
        energy=energy,
        enthalpy=energy,
        forces=np.zeros((crystal.n_atoms, 3)),
        stress_gpa=np.zeros((3, 3)),
        max_force=0.0,
        max_stress_gpa=0.0,
        converged=True,
        steps=1,
        evaluations=1,
        wall_s=0.0,
        level=LEVEL,
    )


def _failure() -> Failed:
    return Failed(FailReason.EXPLODED, "made up by the check")


def _tell(search: Search, record: Record, name: str) -> None:
    update = search.tell(record)
    require(isinstance(update, SearchUpdate), name, f"returns {update!r:.100} from tell")
    progress = search.progress
    require(isinstance(progress, SearchProgress), name, f"has {progress!r:.100} as progress")


def _alike(one: list[Trial], other: list[Trial]) -> bool:
    return len(one) == len(other) and all(
        a.number == b.number
        and a.duplicate_of == b.duplicate_of
        and a.candidate.crystal == b.candidate.crystal
        and a.candidate.origin == b.candidate.origin
        for a, b in zip(one, other, strict=True)
    )
