"""The edge around SQLite: full disks, readers that hold the file, damaged rows."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing, suppress

import numpy as np
import pytest

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, NucleateError
from nucleate.run import database
from nucleate.run.store import STORE_NAME, Store
from nucleate.trouble import MachineError


def candidate(seed=0, n=60):
    rng = np.random.default_rng(seed)
    return Candidate(Crystal([1] * n, np.eye(3) * 9.0, rng.random((n, 3))), Origin("x"))


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path, {"input": {}, "formula": "H", "seed": 0}) as opened:
        yield opened


def test_a_full_disk_is_one_sentence_and_loses_nothing(store, tmp_path):
    (pages,) = store.db.execute("PRAGMA page_count").fetchone()
    store.db.execute(f"PRAGMA max_page_count = {pages + 8}")

    def fill():
        for number in range(1000):
            store.add_candidate(number, candidate(number))
            store.commit()

    with pytest.raises(MachineError, match=r"No space left on device\. Nothing"):
        fill()
    with closing(sqlite3.connect(tmp_path / STORE_NAME)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (count,) = db.execute("SELECT count(*) FROM candidate").fetchone()
    assert count > 5
    store.close()
    with Store.append_to(tmp_path) as again:
        again.add_candidate(count, candidate(count))
        again.commit()
        assert len(again.unfinished()) == count + 1


def test_a_reader_that_holds_the_file_is_waited_for(store, tmp_path):
    reader = sqlite3.connect(tmp_path / STORE_NAME, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM meta").fetchone()
    threading.Timer(2.0, reader.close).start()
    began = time.monotonic()
    store.add_candidate(0, candidate())
    store.commit()
    assert time.monotonic() - began > 1.5


def test_it_is_given_up_in_the_end(store, tmp_path, monkeypatch):
    monkeypatch.setattr(database, "PATIENCE_S", 1.0)
    with closing(sqlite3.connect(tmp_path / STORE_NAME)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM meta").fetchone()
        store.add_candidate(0, candidate())
        with pytest.raises(MachineError, match="cannot be used now"):
            store.commit()
    store.commit()


@pytest.mark.parametrize("place", [0, 30, 100, 5000])
def test_a_damaged_file_is_a_sentence(store, tmp_path, place):
    store.close()
    path = tmp_path / STORE_NAME
    data = bytearray(path.read_bytes())
    data[place : place + 200] = b"\xff" * 200
    path.write_bytes(bytes(data))

    def use():
        with Store.read(tmp_path) as damaged:
            list(damaged.records())
            damaged.unfinished()

    with suppress(NucleateError):  # and nothing else
        use()


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / STORE_NAME).write_text("x" * 5000)
    with pytest.raises(InputError, match="cannot be read as the store"):
        Store.read(tmp_path)
