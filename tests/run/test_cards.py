"""Workers are pinned to cards: a command in place of nvidia-smi says which there are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nucleate.errors import InputError
from nucleate.plugins import find
from nucleate.run import cards as module
from nucleate.run.cards import cards, own_card
from nucleate.run.pool import Pool
from nucleate.run.remote.blocks import Block

from .test_executors import PROCESSES, context


@pytest.fixture
def four_cards(monkeypatch, tmp_path: Path) -> None:
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\nprintf '0\\n1\\n2\\n3\\n'\n")
    command.chmod(0o755)
    monkeypatch.setattr(module, "_ASK", (str(command),))
    monkeypatch.delenv(module.VISIBLE, raising=False)


def test_all_cards_of_the_machine(four_cards) -> None:
    assert cards(["all"]) == ("0", "1", "2", "3")
    assert cards([]) == ()
    assert cards(["2", "GPU-7"]) == ("2", "GPU-7")


def test_only_cards_that_the_scheduler_gave(four_cards, monkeypatch) -> None:
    monkeypatch.setenv(module.VISIBLE, "2, 3")
    assert cards(["all"]) == ("2", "3")
    monkeypatch.setenv(module.VISIBLE, "")
    with pytest.raises(InputError, match="no card"):
        cards(["all"])


def test_no_card_at_all(monkeypatch) -> None:
    monkeypatch.setattr(module, "_ASK", ("/no/nvidia-smi",))
    monkeypatch.delenv(module.VISIBLE, raising=False)
    with pytest.raises(InputError, match="no card that nvidia-smi knows"):
        cards(["all"])


@pytest.mark.parametrize("variable", module.RANKS)
def test_processes_of_a_node_take_them_in_turn(variable: str) -> None:
    found = [own_card(["0", "1", "2"], {variable: str(rank)}) for rank in range(5)]
    assert found == [("0",), ("1",), ("2",), ("0",), ("1",)]
    assert own_card([], {variable: "1"}) == ()
    assert own_card(["0", "1"], {}) in {("0",), ("1",)}


def seen_by(pool: Pool) -> list[str]:
    found = []
    for pid in pool.pids():
        lines = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        found += [line.partition(b"=")[2].decode() for line in lines
                  if line.startswith(b"CUDA_VISIBLE_DEVICES=")]  # fmt: skip
    return sorted(found)


def test_workers_here_are_pinned(four_cards, tmp_path: Path) -> None:
    chosen = find("local", "executors").model_validate({"devices": "all"})
    with chosen.build(context(tmp_path, workers=3)) as pool:
        pool.wait_until_ready()
        assert seen_by(pool) == ["0", "1", "2"]
    with find("local", "executors")().build(context(tmp_path)) as pool:
        assert seen_by(pool) == []


def test_workers_in_pools_of_others_are_pinned(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PARSL_WORKER_RANK", "5")
    chosen = find("futures", "executors").model_validate({**PROCESSES, "devices": ["a", "b"]})
    with chosen.build(context(tmp_path, {"visible": True})) as executor:
        [level] = executor.wait_until_ready()
    assert level["checkpoint"] == "b"


def test_a_block_starts_mps_and_ends_where_there_is_none(tmp_path: Path) -> None:
    def begin() -> subprocess.CompletedProcess[str]:
        script = Block.model_validate({"mps": True}).script() + "\necho at work"
        return subprocess.run(
            ["/bin/bash", "-c", script], env={"PATH": f"{tmp_path}:/bin:/usr/bin"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    refused = begin()
    assert refused.returncode == 1
    assert "nvidia-cuda-mps-control is not on the path" in refused.stderr
    command = tmp_path / "nvidia-cuda-mps-control"
    command.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/given\n')
    command.chmod(0o755)
    assert begin().stdout == "at work\n"
    assert (tmp_path / "given").read_text() == "-d\n"
