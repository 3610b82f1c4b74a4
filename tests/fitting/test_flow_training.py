"""Training of the flow on a handful of crystals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase.io import write

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.symmetric import SymmetricGenerator

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch

from nucleate.api.train import train_flow
from nucleate.fitting.flow.corpus import read_corpora
from nucleate.fitting.flow.training import FlowTrainer, batches
from nucleate.generate.flow.checkpoint import FLOW

SMALL = {"pairs": 200, "epochs": 2, "warmup_steps": 3, "save_every": 2, "decay_share": 0.0}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = []
    for k, formula in enumerate(("TiO2", "SrTiO3", "NaCl", "MgAl2O4", "CaF2", "K2O")):
        generator = SymmetricGenerator(
            SearchSpace.create(Composition.from_formula(formula), max_atoms=8)
        )
        for seed in range(6):
            made = generator.generate(rng=np.random.default_rng([k, seed]))
            assert made is not None
            atoms = made.crystal.to_ase()
            atoms.info = {"e_form": -1.0, "split": "val" if formula == "CaF2" else "train"}
            frames.append(atoms)
    path = tmp_path_factory.mktemp("data") / "few.extxyz"
    write(path, frames)
    return path


class _KilledError(Exception):
    pass


def test_a_training_that_is_killed_ends_like_one_in_one_go(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    whole = train_flow(data, tmp_path / "whole", changes=SMALL, width=16, layers=1)
    advance = FlowTrainer._advance

    def killed(self: FlowTrainer, rows: np.ndarray, done: float) -> float:
        if self.step == 5:  # the state is that of step 4
            raise _KilledError
        return advance(self, rows, done)

    with monkeypatch.context() as patch:
        patch.setattr(FlowTrainer, "_advance", killed)
        with pytest.raises(_KilledError):
            train_flow(data, tmp_path / "parts", changes=SMALL, width=16, layers=1)
    parts = train_flow(data, tmp_path / "parts", changes=SMALL, width=16, layers=1)
    one, other = FLOW.load(whole), FLOW.load(parts)
    assert all(np.array_equal(value, other.state[name]) for name, value in one.state.items())
    assert one.about["history"] == other.about["history"]
    assert one.about["epochs_done"] == 2
    assert one.about["history"][1]["val"] < one.about["history"][0]["val"]
    assert "validation" in (tmp_path / "whole" / "model_card.md").read_text()
    assert (tmp_path / "whole" / "learning_curve.png").stat().st_size > 1000


def test_another_network_in_the_folder_is_refused(data: Path, tmp_path: Path) -> None:
    short = SMALL | {"epochs": 1}
    train_flow(data, tmp_path, changes=short, width=16, layers=1)
    with pytest.raises(InputError, match="another --out"):
        train_flow(data, tmp_path, changes=short, width=32, layers=1)
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:999])
    with pytest.raises(InputError, match="is damaged"):
        train_flow(data, tmp_path, changes=short, width=16, layers=1)


def test_data_without_structures_of_use_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no training crystal of at most 1 atoms"):
        train_flow(data, tmp_path / "out", most_atoms=1)
    assert not (tmp_path / "out").exists()
    table = tmp_path / "none.csv"
    table.write_text("name,cif\na,nothing\n")
    with pytest.raises(InputError):
        train_flow(table, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_batches_hold_every_crystal_once_and_one_size(data: Path, tmp_path: Path) -> None:
    train, val, _ = read_corpora(
        data, tmp_path, most_atoms=12, limit=None, seed=0, say=lambda _: None
    )
    assert len(train) > len(val) > 0
    rows = np.arange(len(train))
    found = list(batches(train.sizes, rows, 100, np.random.default_rng(0)))
    assert sorted(np.concatenate(found).tolist()) == rows.tolist()
    assert all(np.unique(train.sizes[part]).size == 1 for part in found)
    assert np.abs(train.strain).max() < 1.5
