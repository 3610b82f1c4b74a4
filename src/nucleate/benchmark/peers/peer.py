"""What a peer must do, and the loop that gives all of them the same terms."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nucleate.errors import InputError
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.run.campaign import CORE_TIME_SPENT
from nucleate.run.folder import locked, now, surroundings
from nucleate.run.signals import stopping_on_signals
from nucleate.run.store import Store
from nucleate.search.record import Record, TierOutcome, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.crystal.candidate import Candidate
    from nucleate.crystal.space import SearchSpace
    from nucleate.relax.relaxer import Relaxer

TIER = {"name": "chgnet", "engine": {"kind": "chgnet"}}
FRUITLESS = 1000
"""Proposals in a row that came to nothing, after which a peer is given up."""


class Peer(Protocol):
    """A search that proposes crystals and learns what came of them."""

    name: str

    def propose(self, *, rng: np.random.Generator) -> Candidate | None:
        """Return a crystal to relax, or None if this attempt failed."""
        ...

    def learn(self, record: Record) -> None:
        """Take note of a relaxed crystal, of this start or of one before."""
        ...


def build_peer(name: str, space: SearchSpace, *, units: int) -> Peer:
    """Return a peer.

    Parameters
    ----------
    name
        One of :data:`PEERS`.
    space
        What is searched.
    units
        Formula units of the reference cell, for peers that search cells of one size.

    Raises
    ------
    InputError
        If there is none of that name.
    MissingDependencyError
        If its package is not installed.
    """
    if name == "pyxtal-random":
        from nucleate.benchmark.peers.random_search import RandomSearch

        return RandomSearch(space)
    if name == "ase-ga":
        from nucleate.benchmark.peers.genetic import GeneticSearch

        return GeneticSearch(space, units=units)
    raise InputError(f"peer {name!r} is not known. Use one of {', '.join(PEERS)}.")


PEERS = ("pyxtal-random", "ase-ga")


def run_peer(
    folder: Path,
    name: str,
    space: SearchSpace,
    *,
    units: int,
    seed: int,
    core_time_s: float,
) -> str:
    """Run or continue a peer's search until its core time is spent; return why it stopped.

    The store is that of a run of ``predict``, so that the report reads both alike. Proposing,
    relaxing and bookkeeping count; the loading of the model does not, as in ``predict``.

    Parameters
    ----------
    folder
        Run folder.
    name, space, units
        As of :func:`build_peer`.
    seed
        Of all random numbers.
    core_time_s
        Budget in core seconds over all starts.
    """
    peer = build_peer(name, space, units=units)
    with locked(folder), _open(folder, name, space, seed, core_time_s) as store:
        relaxer = build_relaxer(TierSettings.model_validate(TIER))
        loop = _Loop(store, peer, relaxer, seed=seed, core_time_s=core_time_s)
        with stopping_on_signals(loop.request_stop):
            return loop.run()


class _Loop:
    """Keeps the relaxer full and writes down what comes of it."""

    def __init__(
        self, store: Store, peer: Peer, relaxer: Relaxer, *, seed: int, core_time_s: float
    ) -> None:
        self._store, self._peer, self._relaxer = store, peer, relaxer
        self._seed, self._limit_s = seed, core_time_s
        self._in_flight: dict[int, Record] = {}
        self._start_s = time.monotonic()
        self._start_core_s = time.process_time()
        self._before_s = self._core_before_s = 0.0
        self._next = self._fruitless = 0
        self._stop = ""

    def request_stop(self, reason: str) -> None:
        self._stop = reason

    def run(self) -> str:
        self._take_up()
        self._note("start", {"time": now(), **surroundings()})
        while not (reason := self._stop_reason()):
            self._fill()
            for number, outcome in self._relaxer.step() if self._in_flight else ():
                self._store.add_outcome(number, 0, TIER["name"], outcome)
                record = self._in_flight.pop(number)
                self._finish(record, TierOutcome(TIER["name"], outcome))
            self._store.commit()
        self._note("stop", {"reason": reason})
        return reason

    def _take_up(self) -> None:
        for record, _ in self._store.records():
            self._peer.learn(record)
            self._core_before_s = max(self._core_before_s, record.core_s)
            self._before_s = max(self._before_s, record.finished_s)
            self._next = max(self._next, record.number + 1)
        for record in self._store.unfinished():
            self._in_flight[record.number] = record
            self._relaxer.add(record.number, record.candidate.crystal)
            self._next = max(self._next, record.number + 1)
        for time_s, _, data in self._store.events():
            self._before_s = max(self._before_s, time_s)
            self._core_before_s = max(self._core_before_s, data.get("core_s", 0.0))

    def _fill(self) -> None:
        while self._relaxer.free_slots() > 0 and not self._stop_reason():
            rng = np.random.default_rng(
                np.random.SeedSequence([self._seed, self._next, self._fruitless])
            )
            candidate = self._peer.propose(rng=rng)
            if candidate is None:
                self._fruitless += 1
                continue
            self._fruitless = 0
            record = Record(self._next, candidate, seed=self._seed, asked_s=self._elapsed_s())
            self._store.add_candidate(record.number, candidate, asked_s=record.asked_s)
            self._in_flight[record.number] = record
            self._relaxer.add(record.number, candidate.crystal)
            self._next += 1

    def _finish(self, record: Record, outcome: TierOutcome) -> None:
        done = Record(
            record.number,
            record.candidate,
            (outcome,),
            seed=self._seed,
            asked_s=record.asked_s,
            finished_s=self._elapsed_s(),
            core_s=self._core_s(),
        )
        self._peer.learn(done)
        self._store.add_record(done, Verdict())

    def _stop_reason(self) -> str:
        if self._stop:
            return self._stop
        if self._core_s() >= self._limit_s:
            return CORE_TIME_SPENT
        if self._fruitless >= FRUITLESS and not self._in_flight:
            return f"{FRUITLESS} proposals in a row came to nothing"
        return ""

    def _note(self, kind: str, data: dict[str, Any]) -> None:
        self._store.add_event(self._elapsed_s(), kind, {**data, "core_s": self._core_s()})
        self._store.commit()

    def _elapsed_s(self) -> float:
        return self._before_s + time.monotonic() - self._start_s

    def _core_s(self) -> float:
        return self._core_before_s + time.process_time() - self._start_core_s


def _open(folder: Path, name: str, space: SearchSpace, seed: int, core_time_s: float) -> Store:
    if Store.exists(folder):
        return Store.append_to(folder)
    meta = {
        "kind": "peer",
        "input": {
            "peer": name,
            "problem": {"formula": space.composition.formula, "max_atoms": space.max_atoms},
            "search": {"seed": seed},
            "tier": [TIER],
            "run": {"core_time": core_time_s},
        },
        "formula": space.composition.formula,
        "seed": seed,
        "created": now(),
        **surroundings(),
    }
    return Store.create(folder, meta)
