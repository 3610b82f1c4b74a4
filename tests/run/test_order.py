"""What the search is told, and when, depends on the numbers alone."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import pytest
from tests.search.scripted import RandomPairs

from nucleate.errors import ContractError, InputError
from nucleate.plugins import Component
from nucleate.relax.ladder import Ladder
from nucleate.relax.outcome import FailReason
from nucleate.relax.settings import TierSettings
from nucleate.run.campaign import Campaign
from nucleate.run.executor import InlineExecutor
from nucleate.run.journal import Journal
from nucleate.run.settings import RunSettings
from nucleate.search.listed import ListSearch
from nucleate.search.record import SearchUpdate
from nucleate.search.search import SearchProgress, Trial
from nucleate.signals import stopping_on_signals

from .driving import drive, told
from .test_campaign import InterruptAt, assert_same_run, start_driver, wait_for_records
from .toys import RAISE, ToyRelaxer

MANY = {"tiers": [{"slots": 5, "delay_s": 0.002}], "structures": 26}


def candidates(folder):
    return {
        record.number: (record.candidate.origin, record.candidate.crystal.scaled.tobytes())
        for record, _ in told(folder)
    }


def pairs(count):
    source = RandomPairs()
    return [source.generate(rng=np.random.default_rng(seed)) for seed in range(count)]


KINDS = {
    "lowest-minima": {},
    "basin-hopping": {"walkers": 3},
    "evolution": {},
    "swarm": {"new_fraction": None},
    "random": {"new_fraction": None, "population": None, "warm_up": 5},
}


def in_one_go(folder, kind):
    """Run a search without interruptions; return its options and what it told."""
    options = {**MANY, "kind": kind, **KINDS[kind]}
    drive(folder, **options)
    return options, told(folder)


@pytest.mark.parametrize(
    ("kind", "kills"),
    [pytest.param(kind, 4, marks=pytest.mark.slow) for kind in KINDS],  # a quick one: test_campaign
)
def test_a_run_with_many_slots_is_the_same_after_kills(tmp_path, kind, kills):
    options, whole = in_one_go(tmp_path / "whole", kind)
    rng = np.random.default_rng(1)
    for _ in range(kills):
        driver = start_driver(tmp_path / "killed", **options)
        wait_for_records(tmp_path / "killed", int(rng.integers(1, 12)))
        time.sleep(rng.uniform(0.0, 0.15))
        driver.kill()
        driver.wait()
    drive(tmp_path / "killed", **options)
    assert_same_run(told(tmp_path / "killed"), whole)


@pytest.mark.parametrize(
    "kind",
    ["lowest-minima", "basin-hopping",
     *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("evolution", "swarm", "random"))],
)  # fmt: skip
def test_a_run_that_was_stopped_takes_back_what_it_told_out_of_turn(tmp_path, kind):
    options, whole = in_one_go(tmp_path / "whole", kind)
    for cut in (4, 20):
        drive(tmp_path / "parts", **options, callback=InterruptAt(cut))
    drive(tmp_path / "parts", **options)
    assert_same_run(told(tmp_path / "parts"), whole)


def test_more_structures_give_what_a_longer_run_gives(tmp_path):
    drive(tmp_path / "whole", **MANY)
    drive(tmp_path / "parts", **{**MANY, "structures": 17})
    drive(tmp_path / "parts", **MANY)
    assert_same_run(told(tmp_path / "parts"), told(tmp_path / "whole"))


def test_promotions_do_not_depend_on_timing(tmp_path):
    tiers = [{"name": "cheap", "slots": 5}, {"name": "dear", "slots": 2, "scale": -1.0}]
    options = {"tiers": tiers, "promote": [{"best": 3}, {}], "structures": 25}
    drive(tmp_path / "whole", **options)
    for cut in (3, 11):
        drive(tmp_path / "parts", **options, callback=InterruptAt(cut))
    drive(tmp_path / "parts", **options)
    assert_same_run(told(tmp_path / "parts"), told(tmp_path / "whole"))
    climbed = sum("dear" in record.enthalpies() for record, _ in told(tmp_path / "whole"))
    assert 3 <= climbed < 25


def test_workers_that_were_not_there_at_first_change_nothing_that_was_asked(tmp_path):
    drive(tmp_path / "one", **MANY)
    drive(tmp_path / "two", **{**MANY, "structures": 20})
    drive(tmp_path / "two", **MANY, workers=2)
    first, second = candidates(tmp_path / "one"), candidates(tmp_path / "two")
    assert all(first[number] == second[number] for number in range(20))


def test_a_list_in_this_process_and_in_another_thread(recwarn):
    trials = [Trial(number, candidate) for number, candidate in enumerate(pairs(7))]
    ended = []

    def run():
        executor = InlineExecutor(lambda: [ToyRelaxer(slots=3)])
        search, ladder = ListSearch(trials), Ladder([TierSettings(name="toy")])
        ended.append(Campaign(Journal(), search, ladder, executor).run())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30.0)
    assert (ended[0].reason, ended[0].n_structures) == ("complete", 7)


def test_a_signal_is_not_kept_waiting_by_a_pool_that_is_made():
    def made():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(20.0)
        return 0.0

    trials = [Trial(number, candidate) for number, candidate in enumerate(pairs(7))]
    executor = InlineExecutor(lambda: [ToyRelaxer(slots=3)])
    ladder = Ladder([TierSettings(name="toy")])
    campaign = Campaign(Journal(), ListSearch(trials), ladder, executor, prepare=made)
    before = time.monotonic()
    with stopping_on_signals(campaign.request_stop):
        summary = campaign.run()
    assert (summary.reason, summary.n_structures) == ("told to end (SIGTERM)", 0)
    assert time.monotonic() - before < 15.0


def test_in_this_process_only_the_culprit_fails():
    trials = [Trial(number, candidate) for number, candidate in enumerate(pairs(6))]
    executor = InlineExecutor(lambda: [ToyRelaxer(slots=3, faults={2: RAISE})])
    ladder = Ladder([TierSettings(name="toy")])
    summary = Campaign(Journal(), ListSearch(trials), ladder, executor).run()
    assert summary.progress.failures == {str(FailReason.CALCULATOR): 1}
    assert summary.n_structures == 6


class Alternating(Component):
    """A search of somebody else: new structures, and nothing else."""

    seed: int = 0
    population: int = 5
    wrong: str = ""

    def build(self, context):
        return AlternatingSearch(self, context)


class AlternatingSearch:
    def __init__(self, settings, context):
        self.settings, self.context = settings, context
        self.next, self.told = 0, []

    @property
    def progress(self):
        return SearchProgress(len(self.told))

    def ask(self):
        if self.settings.wrong == "text":
            return "a crystal"
        if self.settings.wrong == "composition":
            return Trial(0, pairs(1)[0])
        candidate = None
        attempt = 0
        while candidate is None:
            rng = np.random.default_rng([self.settings.seed, self.next, attempt])
            candidate = self.context.generator.generate(rng=rng)
            attempt += 1
        trial = Trial(self.next, candidate)
        self.restore(trial)
        return trial

    def restore(self, trial):
        self.next = max(self.next, trial.number + 1)

    def tell(self, record):
        self.told.append(record.number)
        assert self.told == sorted(self.told)
        return SearchUpdate()

    def stop_reason(self):
        return None


PLUGIN = f"{__name__}:Alternating"


def test_a_search_of_ones_own_runs_and_resumes(tmp_path):
    options = {**MANY, "kind": PLUGIN, "new_fraction": None}
    assert drive(tmp_path / "a", **options).n_structures == 26
    drive(tmp_path / "b", **options, callback=InterruptAt(9))
    drive(tmp_path / "b", **options)
    assert_same_run(told(tmp_path / "b"), told(tmp_path / "a"))


@pytest.mark.parametrize(("wrong", "words"), [("text", "no Trial"), ("composition", "NaCl")])
def test_a_search_that_asks_for_nonsense_is_named(tmp_path, wrong, words):
    with pytest.raises(ContractError, match=words) as error:
        drive(tmp_path, kind=PLUGIN, wrong=wrong, new_fraction=None)
    assert "AlternatingSearch" in str(error.value)


def test_keys_of_another_search_are_refused_and_old_ones_are_read():
    problem = {"problem": {"formula": "CaO"}}
    with pytest.raises(InputError, match="temperature is a key of kind = 'basin-hopping'"):
        RunSettings.from_dict({**problem, "search": {"temperature": 0.1}})
    old = {"parents": "walk", "rmax": 7, "structures": 9, "fresh": 0.5, "temperature": 0.1}
    with pytest.warns(FutureWarning) as warned:
        read = RunSettings.from_dict({**problem, "search": old, "run": {"time": "2m"}})
    assert {"stop.without_improvement", "stop.time"} <= {
        word for item in warned for word in str(item.message).replace(";", "").split()
    }
    assert (read.search.kind, read.search.new_fraction) == ("basin-hopping", 0.5)
    assert (read.stop.without_improvement, read.stop.structures, read.stop.time) == (7, 9, 120.0)
    with pytest.raises(InputError, match="lowest-minima"):
        RunSettings.from_dict({**problem, "search": {"kind": "lowest-minimum"}})
