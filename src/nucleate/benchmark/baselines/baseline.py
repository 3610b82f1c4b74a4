"""What a baseline must do, and how it becomes a search under the one loop."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

import numpy as np

from nucleate.errors import InputError, MissingDependencyError
from nucleate.relax.ladder import Ladder
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.run.campaign import Campaign
from nucleate.run.executor import InlineExecutor
from nucleate.run.folder import now, surroundings
from nucleate.run.journal import StoreJournal
from nucleate.run.lock import locked
from nucleate.run.store import Store
from nucleate.search.record import SearchUpdate
from nucleate.search.search import SearchProgress, Trial
from nucleate.search.stop import Stop
from nucleate.signals import stopping_on_signals

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.space import SearchSpace
    from nucleate.search.record import Record
    from nucleate.search.target import Goal

TIER = {"name": "chgnet", "engine": {"kind": "chgnet"}}
BASELINES = {"pyxtal-random": "pyxtal", "ase-ga": "ase_ga", "cryspy-ea": "cryspy"}
"""Names, and the packages that they need."""

FRUITLESS = 1000
"""Proposals in a row that came to nothing, after which a baseline is given up."""


class Baseline(Protocol):
    """A method that proposes crystals and learns what came of them."""

    name: str

    def propose(self, *, rng: np.random.Generator) -> Candidate | None:
        """Return a crystal to relax, or None if this attempt failed."""
        ...

    def learn(self, record: Record) -> None:
        """Take note of a relaxed crystal, of this start or of one before."""
        ...


def build_baseline(name: str, space: SearchSpace, *, units: int) -> Baseline:
    """Return a baseline.

    Parameters
    ----------
    name
        One of :data:`BASELINES`.
    space
        What is searched.
    units
        Formula units of the reference cell, for methods that search cells of one size.

    Raises
    ------
    InputError
        If there is none of that name.
    MissingDependencyError
        If its package is not installed.
    """
    check_baseline(name)
    if name == "pyxtal-random":
        from nucleate.benchmark.baselines.random_search import RandomSearch

        return RandomSearch(space)
    if name == "ase-ga":
        from nucleate.benchmark.baselines.genetic import GeneticSearch

        return GeneticSearch(space, units=units)
    from nucleate.benchmark.baselines.cryspy import CryspySearch

    return CryspySearch(space, units=units)


def check_baseline(name: str) -> None:
    """Check that a baseline is known and its package is installed.

    Raises
    ------
    InputError
        If there is none of that name.
    MissingDependencyError
        If its package is not installed.
    """
    if name not in BASELINES:
        raise InputError(f"baseline {name!r} is not known. Use one of {', '.join(BASELINES)}.")
    if find_spec(BASELINES[name]) is None:
        raise MissingDependencyError(
            f"the baseline {name} needs the package {BASELINES[name]}: "
            "pip install 'nucleate[benchmark]'"
        )


class BaselineSearch:
    """A baseline as a search.

    Parameters
    ----------
    baseline : Baseline
        What proposes.
    seed : int
        Attempt a at candidate n is drawn from the stream (seed, n, a).
    """

    learns = True

    def __init__(self, baseline: Baseline, *, seed: int) -> None:
        self._baseline = baseline
        self._seed = seed
        self._next = 0
        self._n_structures = 0
        self._best: Record | None = None

    @property
    def progress(self) -> SearchProgress:
        """How far it is."""
        return SearchProgress(self._n_structures, best=self._best)

    def ask(self) -> Trial | None:
        """Return a proposal; None if :data:`FRUITLESS` attempts failed."""
        for attempt in range(FRUITLESS):
            stream = np.random.SeedSequence([self._seed, self._next, attempt])
            candidate = self._baseline.propose(rng=np.random.default_rng(stream))
            if candidate is not None:
                trial = Trial(self._next, candidate)
                self.restore(trial)
                return trial
        return None

    def restore(self, trial: Trial) -> None:
        """Continue with the number after that of a trial."""
        self._next = max(self._next, trial.number + 1)

    def tell(self, record: Record) -> SearchUpdate:
        """Let the baseline learn."""
        self._baseline.learn(record)
        self._n_structures += 1
        relaxed = record.relaxed
        best = None if self._best is None else self._best.relaxed
        is_best = relaxed is not None and (
            best is None or relaxed.enthalpy_per_atom < best.enthalpy_per_atom
        )
        if is_best:
            self._best = record
        return SearchUpdate(new_minimum=is_best)

    def stop_reason(self) -> str | None:
        """Return None: a baseline has no end of its own."""
        return None


def run_baseline(
    folder: Path,
    name: str,
    space: SearchSpace,
    *,
    units: int,
    seed: int,
    core_time_s: float,
    target: Goal | None = None,
) -> str:
    """Run or continue a baseline until its core time is spent; return why it stopped.

    The store is that of a run of ``predict``, so that the report reads both in the same way.
    Proposing, relaxing and bookkeeping count; the loading of the model does not, as in ``predict``.

    Parameters
    ----------
    folder
        Run folder.
    name, space, units
        As in :func:`build_baseline`.
    seed
        Of all random numbers.
    core_time_s
        Budget in core seconds over all starts.
    target
        At which it stops.
    """
    baseline = build_baseline(name, space, units=units)
    tier = TierSettings.model_validate(TIER)
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        store = stack.enter_context(_open(folder, name, space, seed, core_time_s))
        executor = stack.enter_context(InlineExecutor(lambda: [build_relaxer(tier)]))
        campaign = Campaign(
            StoreJournal(store),
            BaselineSearch(baseline, seed=seed),
            Ladder([tier]),
            executor,
            stop=Stop(core_s=core_time_s, target=target),
            seed=seed,
            space=space,
        )
        stack.enter_context(stopping_on_signals(campaign.request_stop))
        return campaign.run().reason


def _open(folder: Path, name: str, space: SearchSpace, seed: int, core_time_s: float) -> Store:
    if Store.exists(folder):
        return Store.append_to(folder)
    meta = {
        "kind": "baseline",
        "input": {
            "baseline": name,
            "problem": {"formula": space.composition.formula, "max_atoms": space.max_atoms},
            "search": {"seed": seed},
            "stop": {"core_time": core_time_s},
            "tier": [TIER],
        },
        "formula": space.composition.formula,
        "seed": seed,
        "created": now(),
        **surroundings(),
    }
    return Store.create(folder, meta)
