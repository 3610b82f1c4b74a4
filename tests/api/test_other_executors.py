"""Commands other than a search on workers of other pools, and external programs there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.programs.fakes import fake_vasp, potentials

import nucleate as nc
from nucleate.api import relax_files
from nucleate.api.map import map_field
from nucleate.errors import InputError

POOL = {
    "kind": "futures",
    "function": "concurrent.futures:ProcessPoolExecutor",
    "options": {"max_workers": 1},
    "workers": 1,
}
ROCK_SALT = nc.Crystal(
    [12] * 4 + [8] * 4,
    [[4.3, 0, 0], [0, 4.3, 0], [0, 0, 4.3]],
    [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0],
     [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]],
)  # fmt: skip


def test_files_are_relaxed_in_pools_of_others(tmp_path: Path) -> None:
    options: dict[str, Any] = {"model": "spp", "workers": 1}
    there = relax_files([ROCK_SALT], folder=tmp_path / "there", executor=POOL, **options).outcomes
    here = relax_files([ROCK_SALT], folder=tmp_path / "here", **options).outcomes
    assert there[0].energy == here[0].energy


def test_files_of_an_executor_need_a_folder() -> None:
    pytest.importorskip("parsl")
    with pytest.raises(InputError, match="Give a folder on a disk that they share"):
        relax_files([ROCK_SALT], model="spp", executor="parsl")


@pytest.mark.slow
def test_a_map_on_workers_of_others_is_that_of_workers_here(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "model": {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}, "max_atoms": 4,
        "max_ratio": 1, "structures": 6, "expected_change_mev": 0.0, "allocation": "equal",
        "display": False, "workers": 1, "references": [],
    }  # fmt: skip
    there = map_field("Cu-Au", folder=tmp_path / "there", executor=POOL, **options)
    here = map_field("Cu-Au", folder=tmp_path / "here", **options)
    runs = [found.run("CuAu").records for found in (there, here)]
    ours, theirs = ({item.number: item.enthalpies() for item in records} for records in runs)
    first = range(5)  # of its first visit; how many follow is a question of time
    assert [ours[number] for number in first] == [theirs[number] for number in first]
    assert all(ours[number] for number in first)
    for found in (there, here):
        assert found.status()["structures"] >= 6
        assert found.status()["stop_reason"].endswith("structures were relaxed")


def test_a_program_is_run_by_workers_of_others(tmp_path: Path) -> None:
    program = fake_vasp(tmp_path)
    folder = potentials(tmp_path / "potpaw_PBE", {"Mg": 200.0, "O": 400.0})
    engine = {
        "kind": "vasp", "command": str(program), "potentials": str(folder),
        "setups": {"base": "minimal"},
    }  # fmt: skip
    run = nc.predict(
        {
            "problem": {"formula": "MgO", "max_atoms": 8},
            "tier": [
                {"name": "spp", "engine": {"kind": "spp"}, "promote": {"best": 1}},
                {"name": "dft", "engine": engine},
            ],
            "stop": {"structures": 4},
            "run": {"workers": 1},
            "executor": POOL,
            "final": {"best": 0, "judge": "off"},
        },
        folder=tmp_path / "run",
        display=False,
    )
    assert any(
        o.tier == "dft" and isinstance(o.outcome, nc.Relaxed)
        for r in run.records
        for o in r.outcomes
    )


@pytest.mark.slow
def test_the_final_phase_finds_a_block_where_each_names_its_tiers(tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    quick = {"provider": "local", "heartbeat_s": 2, "status_s": 1.0}
    blocks = [{"name": name, "tiers": [name], **quick} for name in ("loose", "spp")]
    run = nc.predict(
        {
            "problem": {"formula": "NaCl", "max_atoms": 4},
            "tier": [
                {"name": "loose", "engine": {"kind": "spp"}, "fmax_ev_per_ang": 0.3},
                {"name": "spp", "engine": {"kind": "spp"}},
            ],
            "stop": {"structures": 3},
            "executor": {"kind": "parsl", "block": blocks},
            "final": {"best": 1, "judge": "off"},
        },
        folder=tmp_path / "run",
        display=False,
    )
    assert any(item.tier.startswith("polished") for r in run.records for item in r.outcomes)


@pytest.mark.slow
def test_a_program_started_by_mpi_has_a_block_of_its_own(tmp_path: Path) -> None:
    """A stand-in for mpirun writes down what it was asked for and starts the program."""
    pytest.importorskip("parsl")
    starter = tmp_path / "mpirun"
    starter.write_text(f'#!/bin/sh\necho "$1 $2" >> {tmp_path}/asked\nshift 2\nexec "$@"\n')
    starter.chmod(0o755)
    folder = potentials(tmp_path / "potpaw_PBE", {"Mg": 200.0, "O": 400.0})
    engine = {
        "kind": "vasp", "command": f"{starter} -n {{cores}} {fake_vasp(tmp_path)}", "cores": 2,
        "potentials": str(folder), "setups": {"base": "minimal"},
    }  # fmt: skip
    quick = {"provider": "local", "heartbeat_s": 2, "status_s": 1.0, "workers_per_node": 1}
    run = nc.predict(
        {
            "problem": {"formula": "MgO", "max_atoms": 8},
            "tier": [
                {"name": "spp", "engine": {"kind": "spp"}, "promote": {"best": 1}},
                {"name": "dft", "engine": engine},
            ],
            "stop": {"structures": 4},
            "executor": {
                "kind": "parsl",
                "block": [
                    {"name": "search", "tiers": ["spp"], **quick},
                    {"name": "dft", "tiers": ["dft"], "launcher": "simple", **quick},
                ],
            },
            "final": {"best": 0, "judge": "off"},
        },
        folder=tmp_path / "run",
        display=False,
    )
    found = [o.outcome for r in run.records for o in r.outcomes if o.tier == "dft"]
    assert any(isinstance(outcome, nc.Relaxed) for outcome in found)
    assert set((tmp_path / "asked").read_text().splitlines()) == {"-n 2"}


@pytest.mark.slow
def test_a_map_in_blocks_is_that_of_workers_here(tmp_path: Path) -> None:
    pytest.importorskip("parsl")
    blocks = [{"provider": "local", "heartbeat_s": 2, "status_s": 1.0, "workers_per_node": 1}]
    options: dict[str, Any] = {
        "model": "spp", "max_atoms": 6, "max_ratio": 1, "structures": 6, "display": False,
        "workers": 1, "references": [],
    }  # fmt: skip
    parsl = {"kind": "parsl", "block": blocks}
    there = map_field("MgO-CaO", folder=tmp_path / "there", executor=parsl, **options)
    here = map_field("MgO-CaO", folder=tmp_path / "here", **options)
    assert there.status()["structures"] == here.status()["structures"] > 0
    best = [[row.energy_ev_per_atom for row in found.rows] for found in (there, here)]
    assert any(energy is not None for energy in best[0])
    assert best[0] == best[1]
