"""Training of the language of Wyckoff positions on a handful of crystals."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from ase.build import bulk
from ase.io import read, write
from matplotlib.image import imread

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.symmetric import SymmetricGenerator

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch

from nucleate.api.train import train_wyckoff_language
from nucleate.fitting.datasets import reduced_formulas
from nucleate.fitting.flow.corpus import read_corpora as read_flow
from nucleate.fitting.generator_results import plot_learning_curve
from nucleate.fitting.wyckoff_language.corpus import joined, read_corpora
from nucleate.fitting.wyckoff_language.fit import CARD
from nucleate.fitting.wyckoff_language.lessons import batches, lengths_of
from nucleate.fitting.wyckoff_language.training import LanguageTrainer, LanguageTraining
from nucleate.generate.wyckoff_language.checkpoint import load_language
from nucleate.generate.wyckoff_language.settings import LanguageSettings

SMALL = {"tokens": 200, "epochs": 2, "warmup_steps": 3, "save_every": 2}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = []
    for k, formula in enumerate(("TiO2", "SrTiO3", "NaCl", "MgAl2O4", "CaF2", "K2O")):
        generator = SymmetricGenerator(
            SearchSpace.create(Composition.from_formula(formula), max_atoms=12)
        )
        for seed in range(6):
            made = generator.generate(rng=np.random.default_rng([k, seed]))
            assert made is not None
            atoms = made.crystal.to_ase()
            split = "val" if formula == "CaF2" else "train"
            atoms.info = {"e_form": -1.0, "split": split}
            frames.append(atoms)
    path = tmp_path_factory.mktemp("data") / "few.extxyz"
    write(path, frames)
    return path


def test_a_training_that_is_continued_ends_like_one_in_one_go(data: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    first = SMALL | {"epochs": 1, "decay_share": 0.0}
    train_wyckoff_language(data, tmp_path / "parts", changes=first, width=32, layers=1)
    both = SMALL | {"decay_share": 0.0}
    parts = train_wyckoff_language(data, tmp_path / "parts", changes=both, width=32, layers=1)
    at_once = train_wyckoff_language(data, tmp_path / "flat", changes=both, width=32, layers=1)
    one, other = load_language(parts).state, load_language(at_once).state
    for name, value in one.items():
        np.testing.assert_allclose(value, other[name], rtol=1.3e-6, atol=1e-5)
    about = load_language(at_once).about
    assert load_language(at_once).settings.most_atoms == about["most_atoms"] == 12
    assert about["epochs_done"] == 2
    assert about["history"][1]["val"] < about["history"][0]["val"]
    assert "validation" in (tmp_path / "flat" / "model_card.md").read_text()
    assert (tmp_path / "flat" / "learning_curve.png").stat().st_size > 1000


def test_a_split_without_validation_is_refused_before_sentences_are_made(
    data: Path, tmp_path: Path
) -> None:
    frames = [atoms for atoms in read(data, ":") if atoms.info["split"] == "train"]
    write(tmp_path / "train.extxyz", frames)
    said: list[str] = []
    word = r"split 'val'.*--limit = 20, or .* column split is val"
    for read_side in (read_corpora, partial(read_flow, most_atoms=12)):
        with pytest.raises(InputError, match=word):
            read_side(tmp_path / "train.extxyz", tmp_path, limit=20, seed=0, say=said.append)
    assert not any("sentences" in line for line in said)
    assert not list(tmp_path.glob("*.npz"))


def test_the_learning_curve_of_one_pass_has_its_points(tmp_path: Path) -> None:
    history = [{"epoch": 1.0, "train": 2.0, "val": 2.5}]
    plot_learning_curve(tmp_path / "one.png", history, CARD)
    plot_learning_curve(tmp_path / "none.png", [], CARD)
    one, none = (imread(tmp_path / name) for name in ("one.png", "none.png"))
    coloured = [np.ptp(image[..., :3], axis=-1)[:, 100:500] > 0.3 for image in (one, none)]
    assert coloured[0].sum() > coloured[1].sum() + 20


def test_another_network_in_the_folder_is_refused(data: Path, tmp_path: Path) -> None:
    short = SMALL | {"epochs": 1}
    train_wyckoff_language(data, tmp_path, changes=short, width=32, layers=1)
    with pytest.raises(InputError, match="another --out"):
        train_wyckoff_language(data, tmp_path, changes=short, width=64, layers=1)
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:999])
    with pytest.raises(InputError, match="is damaged"):
        train_wyckoff_language(data, tmp_path, changes=short, width=32, layers=1)


def test_other_data_or_another_seed_are_not_continued(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    train_wyckoff_language(data, out, changes=SMALL | {"epochs": 1}, width=32, layers=1)
    frames = read(data, ":")
    for atoms in frames:
        atoms.set_cell(1.1 * atoms.cell, scale_atoms=True)
    write(tmp_path / "others.extxyz", frames)
    for other, changes in ((tmp_path / "others.extxyz", SMALL), (data, SMALL | {"seed": 5})):
        with pytest.raises(InputError, match=r"on other data|with another seed"):
            train_wyckoff_language(other, out, changes=changes, width=32, layers=1)
    model = train_wyckoff_language(
        data, out, changes=SMALL | {"learning_rate": 0.01}, width=32, layers=1
    )
    about = load_language(model).about
    assert [item["learning_rate"] for item in about["schedules"]] == [0.0015, 0.01]
    assert "on epochs = 2, learning_rate = 0.01" in (out / "model_card.md").read_text()


def test_a_pass_whose_batches_changed_begins_again(data: Path, tmp_path: Path) -> None:
    train, val, _ = read_corpora(data, tmp_path, limit=None, seed=0, say=lambda _: None)
    sizes = LanguageSettings(width=32, layers=1)

    def trainer(**changes: int) -> LanguageTrainer:
        return LanguageTrainer(tmp_path, sizes, LanguageTraining(**changes), train, val)

    first = trainer(tokens=100)
    for rows in first.plan()[:3]:
        first._advance(rows, 0.0)
        first.place += 1
        first.step += 1
    first.save()
    assert trainer(tokens=100, epochs=20).place == 3
    assert trainer(tokens=200).place == 0
    assert trainer(tokens=200).step == 3


def test_crystals_that_cannot_be_written_are_refused(data: Path, tmp_path: Path) -> None:
    frames = read(data, ":")
    rng = np.random.default_rng(0)
    many = bulk("NaCl", "rocksalt", a=5.64).repeat((5, 5, 1))[:45]
    many.positions += rng.normal(0.0, 0.1, many.positions.shape)
    for split in ("train", "val"):
        kept = [atoms for atoms in frames if atoms.info["split"] != split]
        large = many.copy()
        large.info = {"e_form": -1.0, "split": split}
        write(tmp_path / f"{split}.extxyz", [*kept, large])
        with pytest.raises(InputError, match="crystal of at most 52 atoms and 40 orbits"):
            train_wyckoff_language(tmp_path / f"{split}.extxyz", tmp_path / "out")


def test_bad_settings_are_refused(data: Path, tmp_path: Path) -> None:
    for changes in ({"learning_rate": -1.0}, {"learning_rate": float("nan")}):
        with pytest.raises(InputError, match=r"learning_rate = .* between 0 and 1"):
            train_wyckoff_language(data, tmp_path, changes=changes)
    with pytest.raises(InputError, match=r"width = 30 .* Give another size"):
        train_wyckoff_language(data, tmp_path, width=30)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be a folder"):
        train_wyckoff_language(data, tmp_path / "file", changes=SMALL)
    with pytest.raises(InputError, match=r"cannot be a folder \(.*file is a file"):
        train_wyckoff_language(data, tmp_path / "file" / "below", changes=SMALL)


def test_benchmark_formulas_are_left_out_and_damaged_sentences_made_again(
    data: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    arguments: dict[str, Any] = {"limit": None, "seed": 0, "say": said.append}
    formulas = reduced_formulas(["NaCl", "Sr3TiO5"])
    train, _, _ = read_corpora(data, tmp_path, withheld=formulas, **arguments)
    assert "left out, formula of the benchmark: 6" in said
    assert {11, 17}.isdisjoint(train.elements)
    for path in tmp_path.glob("sentences-training-*.npz"):
        path.write_bytes(path.read_bytes()[:500])
    again, _, _ = read_corpora(data, tmp_path, withheld=formulas, **arguments)
    assert np.array_equal(again.free, train.free)


def test_data_without_a_validation_crystal_is_refused(tmp_path: Path) -> None:
    from ase.build import bulk

    atoms = bulk("NaCl", "rocksalt", a=5.64)
    atoms.info = {"e_form": -1.0, "split": "train"}
    write(tmp_path / "one.extxyz", [atoms])
    with pytest.raises(InputError, match=r"no crystal of the split .val."):
        train_wyckoff_language(tmp_path / "one.extxyz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_batches_hold_every_sentence_once(data: Path, tmp_path: Path) -> None:
    train, val, _ = read_corpora(data, tmp_path, limit=None, seed=0, say=lambda _: None)
    both = joined([train, val])
    assert len(both.canonical) == len(train.canonical) + len(val.canonical)
    assert both.orbit_start[-1] == both.kinds.size
    chosen = train.canonical
    found = list(batches(lengths_of(train), chosen, 100, np.random.default_rng(0)))
    assert sorted(np.concatenate(found).tolist()) == chosen.tolist()
