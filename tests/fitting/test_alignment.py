"""Alignment of the language of Wyckoff positions to an energy model, on a handful of crystals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ase.calculators.emt import EMT
from ase.io import iread, write
from ase.spacegroup import crystal
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("torch")
pytest.importorskip("safetensors")

import torch

from nucleate.api.train import align_wyckoff_language, train_wyckoff_language
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.fitting.wyckoff_language.alignment import (
    AlignmentTrainer,
    AlignmentTraining,
    Judged,
    shares,
)
from nucleate.fitting.wyckoff_language.corpus import corpus_of, descriptions_of, sentence_at
from nucleate.generate.wyckoff_language.checkpoint import load_language
from nucleate.generate.wyckoff_language.sentence import crystal_of

SMALL = {"tokens": 200, "epochs": 3, "warmup_steps": 3, "save_every": 2}


def alloy(one: str, other: str, kind: str, a: float) -> Crystal:
    """Return an ordered alloy of two metals."""
    sites = {"CsCl": (221, [(0, 0, 0), (0.5, 0.5, 0.5)]), "NaCl": (225, [(0, 0, 0), (0.5, 0, 0)])}
    group, basis = sites[kind]
    edge = a if kind == "CsCl" else 1.7 * a
    atoms = crystal([one, other], basis, spacegroup=group, cellpar=[edge] * 3 + [90] * 3)
    return Crystal.from_ase(atoms)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return data of ordered alloys and a language trained on them."""
    frames = []
    metals = ("Cu", "Ag", "Au", "Pd", "Pt", "Ni")
    for k, one in enumerate(metals):
        for other in metals[k + 1 :]:
            for kind in ("CsCl", "NaCl"):
                atoms = alloy(one, other, kind, 3.1).to_ase()
                split = "val" if (one, other) == ("Cu", "Au") else "train"
                atoms.info = {"e_form": 0.0, "split": split}
                frames.append(atoms)
    folder = tmp_path_factory.mktemp("trained")
    write(folder / "alloys.extxyz", frames)
    torch.set_num_threads(1)
    path = folder / "alloys.extxyz"
    return path, train_wyckoff_language(path, folder / "out", changes=SMALL, width=32, layers=1)


def aligned(trained: tuple[Path, Path], out: Path, samples: int = 3, **changes: float) -> Path:
    """Align the language by the effective-medium theory."""
    data, language = trained
    return align_wyckoff_language(
        data, out, model=EMT(), checkpoint=str(language), compositions=4, samples=samples,
        most_atoms=4, changes=SMALL | changes,
    )  # fmt: skip


def test_an_alignment_is_a_language_that_says_where_it_is_from(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    before = load_language(trained[1])
    after = load_language(aligned(trained, tmp_path))
    assert after.elements == before.elements
    about = after.about["aligned"]
    assert about["from"] == before.digest
    assert about["judge"].endswith("EMT")
    assert about["compositions"] >= 2
    assert any(not np.array_equal(after.state[name], value) for name, value in before.state.items())
    frames = iread(tmp_path / "candidates.extxyz", ":")
    names = [atoms.info["name"] for atoms in frames]
    assert {name.split("-")[0] for name in names} == {"0", "1", "2", "3"}
    assert (tmp_path / "relaxed" / "relaxed.extxyz").is_file()
    assert "tuned towards low energies" in (tmp_path / "model_card.md").read_text()
    with pytest.raises(InputError, match="with another temperature_ev"):
        aligned(trained, tmp_path, temperature_ev=0.1)
    with pytest.raises(InputError, match=r"samples = 3, not 2; choose another --out"):
        aligned(trained, tmp_path, samples=2)


@pytest.mark.slow
def test_an_alignment_that_is_continued_ends_like_one_in_one_go(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    whole = load_language(aligned(trained, tmp_path / "whole", decay_share=0.0)).state
    aligned(trained, tmp_path / "parts", decay_share=0.0, epochs=1)
    parts = load_language(aligned(trained, tmp_path / "parts", decay_share=0.0)).state
    for name, value in whole.items():
        assert np.allclose(parts[name], value, atol=1e-6), name


@given(arrays(np.float64, st.integers(1, 9), elements=st.floats(-9.0, 0.0)), st.floats(1e-3, 1.0))
def test_lower_crystals_are_read_more_often(energies: np.ndarray, temperature: float) -> None:
    found = shares(energies, temperature)
    assert found.sum() == pytest.approx(1.0)
    order = np.argsort(energies, kind="stable")
    assert (np.diff(found[order]) <= 1e-12).all()


def judged(energies: list[float]) -> list[Judged]:
    """Return the two alloys of a composition with these energies, the first the training one."""
    kinds = ("CsCl", "NaCl", "NaCl")
    return [
        Judged(0, k == 0, alloy("Cu", "Au", kind, 3.0), energy)
        for k, (kind, energy) in enumerate(zip(kinds, energies, strict=False))
    ]


def trainer(trained: tuple[Path, Path], tmp_path: Path, items: list[Judged]) -> AlignmentTrainer:
    """Return a trainer whose only composition is that of some crystals."""
    rng = np.random.default_rng(0)
    corpus = corpus_of([descriptions_of(alloy("Ag", "Au", "CsCl", 3.1), rng)])
    language = load_language(trained[1])
    return AlignmentTrainer(tmp_path, language, AlignmentTraining(), corpus, corpus, items)


def test_the_lowest_of_a_composition_is_learned_and_repeats_count_once(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    made = trainer(trained, tmp_path, judged([-1.0, -1.1, -1.1]))
    assert (made.account.compositions, made.account.crystals, made.account.lower) == (1, 2, 1)
    rows = np.concatenate([np.concatenate(made.plan()) for made.epoch in range(40)])
    learned = rows[rows >= 3]  # after the three sentences of the training crystal
    groups = made.train.group[learned]
    assert len(learned) == 40
    assert (groups == 225).mean() > 0.8  # exp(-0.1 / 0.03) = 0.04


def test_unphysical_minima_are_left_out(trained: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="raise --compositions"):
        trainer(trained, tmp_path, judged([-1.0, -3.0]))


def test_a_composition_whose_training_crystal_failed_is_left_out(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no composition has two distinct"):
        trainer(trained, tmp_path, judged([-1.0, -1.1, -1.1])[1:])


def test_a_sentence_of_a_corpus_is_its_crystal() -> None:
    before = alloy("Cu", "Au", "CsCl", 3.0)
    corpus = corpus_of([descriptions_of(before, np.random.default_rng(0))])
    after = crystal_of(sentence_at(corpus, 0))
    assert after is not None
    assert after.volume == pytest.approx(before.volume, rel=1e-5)
    assert sorted(after.numbers) == sorted(before.numbers)
