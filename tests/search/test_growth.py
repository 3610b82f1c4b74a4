"""What a search does for a record does not grow with the number of records: it is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from nucleate.search import book, known, lowest
from nucleate.search.memo import Memo

from .scripted import BasinHopping, LowestMinima, play, record_of, search

KINDS = pytest.mark.parametrize("kind", [LowestMinima, BasinHopping])


@pytest.fixture
def calls(monkeypatch):
    """Counts fingerprints and symmetry searches."""
    counts = Counter()

    def counting(module, name):
        original = getattr(module, name)

        def counted(*arguments):
            counts[name] += 1
            return original(*arguments)

        monkeypatch.setattr(module, name, counted)

    counting(book, "fingerprint")
    counting(known, "fingerprint")
    counting(lowest, "standardised")
    return counts


def new_search(kind):
    more = {"walkers": 16} if kind is BasinHopping else {}
    return search(kind=kind, new_fraction=0.5, seed=3, **more)


def searched(kind, number):
    """Return a search after a number of records, and what it was told and said."""
    walk = new_search(kind)
    told = []
    for energy in np.random.default_rng(1).normal(-2.0, 0.2, number):
        trial = walk.ask()
        outcome = (None if energy > -1.7 else float(energy),)
        record = record_of(trial, *(outcome if trial.duplicate_of is None else ()))
        told.append((record, walk.tell(record)))
    return walk, told


def following(walk, number=12):
    return [walk.ask().candidate.crystal for _ in range(number)]


@KINDS
def test_a_continued_search_computes_nothing_again_and_asks_for_the_same(kind, calls):
    walk, told = searched(kind, 80)
    calls.clear()
    again = new_search(kind)
    for record, update in told:
        assert again.replay(record, update) == update.memo
    assert not calls
    assert following(again) == following(walk)


@KINDS
def test_what_an_earlier_version_kept_nothing_of_is_computed_once(kind, calls):
    walk, told = searched(kind, 40)
    calls.clear()
    again = new_search(kind)
    for record, update in told:
        assert again.replay(record, replace(update, memo=b"")) == update.memo
    assert calls["fingerprint"] <= 2 * len(told)
    assert following(again) == following(walk)


@KINDS
def test_a_record_costs_as_much_at_the_end_as_at_the_beginning(kind, calls):
    walk, _ = searched(kind, 50)
    calls.clear()
    play(walk, *np.linspace(-2.0, -2.1, 25))
    early = dict(calls)
    play(walk, *np.linspace(-2.1, -2.2, 150))
    calls.clear()
    play(walk, *np.linspace(-2.2, -2.3, 25))
    assert sum(calls.values()) <= 2 * sum(early.values())


def test_only_minima_that_can_be_parents_are_kept(monkeypatch):
    monkeypatch.setattr(lowest, "LAST_RANK", 20)
    walk, _ = searched(LowestMinima, 120)
    minima = walk._minima
    assert all(len(order) <= 20 for order in minima._order.values())
    assert len(minima._primitive) + len(minima._relaxed) <= 20 * len(minima._order)


def test_memos_of_other_versions_are_empty():
    memo = Memo(b"ab", b"c", 7)
    assert Memo.unpack(memo.pack()) == memo
    assert Memo.unpack(b"") == Memo.unpack(b"\x63" + memo.pack()[1:]) == Memo()
    assert Memo.unpack(memo.pack()[:-1]) == Memo()
