"""From a data file to a checkpoint: members, labels for the rest, resume, card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ase.io
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from ase import Atoms  # noqa: E402

from nucleate.errors import InputError  # noqa: E402
from nucleate.fitting.datasets import load_dataset  # noqa: E402
from nucleate.fitting.graph_network.fit import Sources, train_graph_network  # noqa: E402
from nucleate.fitting.graph_network.labels import element_references, formation_energies  # noqa: E402
from nucleate.fitting.graph_network.settings import TrainingSettings  # noqa: E402
from nucleate.networks.graph_network.checkpoint import load_checkpoint  # noqa: E402
from nucleate.networks.graph_network.settings import HarmonicSettings  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal

SIZES = HarmonicSettings(width=16, channels=8, blocks=2, gaussians=12, neighbours=8)
REFERENCES = np.zeros(120)
REFERENCES[[11, 12, 17]] = -1.3, -1.5, -1.8


def potential(crystals: Sequence[Crystal]) -> np.ndarray:
    """Energies with other element references than the formation energies of the file."""
    return np.array([energy_of(crystal) - offset(crystal) for crystal in crystals])


def offset(crystal: Crystal) -> float:
    return float(REFERENCES[crystal.numbers].mean())


def energy_of(crystal: Crystal) -> float:
    return float(0.1 * np.sin(crystal.volume))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    frames = []
    for number in range(60):
        counts = rng.integers(1, 4, 3)
        kinds = np.repeat([11, 12, 17], counts)
        side = rng.uniform(4.0, 6.0)
        atoms = Atoms(
            kinds, cell=[side] * 3, scaled_positions=rng.random((kinds.size, 3)), pbc=True
        )
        atoms.info["split"] = ("train", "train", "train", "val", "test")[counts.sum() % 5]
        if number % 4 or atoms.info["split"] != "train":
            atoms.info["e_form"] = 0.1 * np.sin(side**3)
        frames.append(atoms)
    path = tmp_path_factory.mktemp("data") / "set.extxyz"
    ase.io.write(path, frames)
    return path


def test_labels_of_the_rest_are_on_the_scale_of_the_data(data: Path) -> None:
    dataset = load_dataset(data)
    assert dataset.unlabelled
    references = element_references(dataset, potential, rng=np.random.default_rng(1))
    labels = formation_energies(dataset.unlabelled, potential, references)
    expected = [energy_of(crystal) for crystal in dataset.unlabelled]
    assert labels == pytest.approx(expected, abs=2e-3)


def test_members_and_labels_reach_the_checkpoint(data: Path, tmp_path: Path) -> None:
    changes = {"epochs": 2, "batch_size": 8, "warmup_steps": 2}
    told = []
    path = train_graph_network(
        data,
        tmp_path / "gn",
        changes=changes,
        members=2,
        perturbed=6,
        label_rest=True,
        potential=potential,
        ood=data,
        tell=told.append,
    )
    checkpoint = load_checkpoint(path)
    assert len(checkpoint.members) == 2
    one, two = (member["readout.5.weight"] for member in checkpoint.members)
    assert not torch.equal(one, two)
    card = (tmp_path / "gn" / "model_card.md").read_text()
    assert "The mean of 2 networks" in card
    assert "labelled" in card
    assert "| set |" in card
    assert (tmp_path / "gn" / "learning_curve.png").stat().st_size > 1000
    steps = len(told)
    again = train_graph_network(
        data,
        tmp_path / "gn",
        changes=changes,
        members=2,
        perturbed=6,
        label_rest=True,
        potential=potential,
        ood=data,
        tell=told.append,
    )
    assert len(told) == steps
    assert load_checkpoint(again).digest == checkpoint.digest


def test_labels_need_a_potential(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="potential"):
        train_graph_network(data, tmp_path / "gn", label_rest=True, changes={"epochs": 1})


def test_data_that_are_refused_leave_no_folder_behind(data: Path, tmp_path: Path) -> None:
    bare = Atoms("NaCl", cell=[4.0] * 3, scaled_positions=[[0, 0, 0], [0.5] * 3], pbc=True)
    ase.io.write(tmp_path / "bare.cif", bare)
    with pytest.raises(InputError, match="no formation energies"):
        train_graph_network(tmp_path / "bare.cif", tmp_path / "gn")
    with pytest.raises(InputError, match="no crystal of the split"):
        train_graph_network(data, tmp_path / "gn", limit=2)
    assert not (tmp_path / "gn").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--out .* cannot be a folder"):
        train_graph_network(data, tmp_path / "file")


def test_labelling_goes_on_after_a_kill(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nucleate.fitting.graph_network.fit.LABELLED_AT_ONCE", 1)
    changes = {"epochs": 1, "batch_size": 8, "warmup_steps": 2}
    asked: list[int] = []

    def dying(crystals: Sequence[Crystal]) -> np.ndarray:
        asked.append(len(crystals))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return potential(crystals)

    def train() -> None:
        train_graph_network(
            data, tmp_path / "gn", potential=dying, label_rest=True, changes=changes
        )

    with pytest.raises(KeyboardInterrupt):
        train()
    before = len(asked)
    train()
    unlabelled = len(load_dataset(data).unlabelled)
    assert unlabelled >= 2
    assert asked[before:] == [1] * (unlabelled - 1)


@pytest.mark.parametrize(
    ("device", "remedy"),
    [
        ("gpu", "choose cpu or cuda"),
        pytest.param(
            "cuda",
            "use cpu, or install torch with CUDA",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"),
        ),
    ],
)
def test_a_missing_device_is_refused_before_anything_is_read(
    tmp_path: Path, device: str, remedy: str
) -> None:
    with pytest.raises(InputError, match=remedy):
        train_graph_network(tmp_path / "none.csv", tmp_path / "gn", device=device)


def test_labels_belong_to_the_crystals_that_they_were_made_for(data: Path, tmp_path: Path) -> None:
    dataset = load_dataset(data)
    other = ase.io.read(data, ":")
    for atoms in other:
        atoms.set_cell(1.02 * atoms.cell, scale_atoms=True)
    ase.io.write(tmp_path / "other.extxyz", other)
    made = []
    for source in (dataset, load_dataset(tmp_path / "other.extxyz"), dataset):
        sources = Sources(tmp_path, source, SIZES, TrainingSettings(), potential, lambda _: None)
        made.append((sources.copies(6).energies, sources._labelled(source.unlabelled)))
    for one, another, again in zip(*made, strict=True):
        assert not np.array_equal(one, another)
        np.testing.assert_array_equal(one, again)
