"""Crystals with exchanged elements, from which the language of Wyckoff positions learns further."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk

pytest.importorskip("torch")

from nucleate.api.train import train_wyckoff_language
from nucleate.crystal.crystal import Crystal
from nucleate.fitting.datasets.splits import reduced_formula, reduced_formula_of
from nucleate.fitting.wyckoff_language import fit
from nucleate.fitting.wyckoff_language.corpus import Corpus, corpus_of, descriptions_of
from nucleate.fitting.wyckoff_language.exchange import Exchanges
from nucleate.generate.wyckoff_language.sentence import expected_volume, usual_order

METALS = ("Li", "Na", "K", "Rb", "Cs", "Ag", "Cu")
HALOGENS = ("F", "Cl", "Br", "I")


@pytest.fixture(scope="module")
def salts() -> Corpus:
    rng = np.random.default_rng(0)
    crystals = [
        Crystal.from_ase(bulk(metal + halogen, "rocksalt", a=5.6))
        for metal in METALS
        for halogen in HALOGENS
    ]
    return corpus_of([descriptions_of(crystal, rng) for crystal in crystals])


@pytest.fixture
def exchanges(salts: Corpus, monkeypatch: pytest.MonkeyPatch) -> Exchanges:
    monkeypatch.setattr("nucleate.fitting.wyckoff_language.exchange.LEAST_PAIRS", 3)
    return Exchanges(salts, withheld={"9:1 19:1"})


def formulas(corpus: Corpus) -> list[str]:
    pairs = zip(corpus.numbers.reshape(-1, 2), corpus.counts.reshape(-1, 2), strict=True)
    return [reduced_formula_of(numbers, counts) for numbers, counts in pairs]


def test_what_is_alike_in_all_compounds_is_exchanged(salts: Corpus, exchanges: Exchanges) -> None:
    sodium, potassium, chlorine = 11, 19, 17
    assert exchanges.weights[sodium, potassium] > 0.3
    assert exchanges.weights[sodium, chlorine] == 0.0
    assert not exchanges.weights.diagonal().any()
    read = exchanges.read(salts, salts.canonical, 1.0, np.random.default_rng(1))
    changed = [new != old for new, old in zip(formulas(read), formulas(salts), strict=True)]
    canonical = np.isin(np.arange(len(salts)), salts.canonical)
    assert np.mean(np.array(changed)[canonical]) > 0.7
    assert not np.array(changed)[~canonical].any(), "only what was chosen"
    for item in fields(Corpus):
        if item.name not in ("numbers", "log_volume"):
            np.testing.assert_array_equal(getattr(read, item.name), getattr(salts, item.name))


def test_volume_and_order_are_those_of_the_new_elements(
    salts: Corpus, exchanges: Exchanges
) -> None:
    read = exchanges.read(salts, salts.canonical, 1.0, np.random.default_rng(2))
    for sentence in salts.canonical:
        numbers = read.numbers[2 * sentence : 2 * sentence + 2]
        counts = read.counts[2 * sentence : 2 * sentence + 2]
        assert list(usual_order(numbers)) == [0, 1]
        expected = np.log(expected_volume(numbers, counts) / counts.sum())
        assert read.log_volume[sentence] == pytest.approx(expected, abs=1e-5)


def test_withheld_formulas_are_never_made(salts: Corpus, exchanges: Exchanges) -> None:
    own = [k for k, formula in enumerate(formulas(salts)) if formula != "9:1 19:1"]
    chosen = np.intersect1d(salts.canonical, own)
    made = set()
    for seed in range(40):
        read = exchanges.read(salts, chosen, 1.0, np.random.default_rng(seed))
        made |= {formulas(read)[k] for k in chosen}
    assert "9:1 19:1" not in made
    assert "9:1 11:1" in made, "its neighbours are made"


def test_withheld_formulas_are_written_as_those_of_crystals(monkeypatch, tmp_path) -> None:
    seen: set[str] = set()

    def stop(*_args: object, withheld: set[str], **_options: object) -> None:
        seen.update(withheld)
        raise RuntimeError("seen")

    crystals = [Crystal.from_ase(bulk(f, "rocksalt", a=5.6)) for f in ("NaCl", "KF")]
    sentences = corpus_of([descriptions_of(c, np.random.default_rng(0)) for c in crystals])
    dataset = SimpleNamespace(withheld=frozenset({"9:1 11:1"}))
    monkeypatch.setattr(fit, "read_corpora", lambda *_, **__: (sentences, sentences, dataset))
    monkeypatch.setattr(fit, "LanguageTrainer", stop)
    with pytest.raises(RuntimeError, match="seen"):
        train_wyckoff_language(tmp_path / "any.parquet", tmp_path / "out")
    assert reduced_formula(crystals[0]) not in seen
    assert {"9:1 11:1", "27:1 33:2", "8:7 20:3 22:2", "25:1"} <= seen, "CoAs2, Ca3Ti2O7, Mn"


def test_a_share_of_zero_and_elements_without_pairs_change_nothing(salts: Corpus) -> None:
    plain = Exchanges(salts)
    assert not plain.weights.any(), "four pairs are fewer than LEAST_PAIRS"
    for share in (0.0, 1.0):
        read = plain.read(salts, salts.canonical, share, np.random.default_rng(0))
        np.testing.assert_array_equal(read.numbers, salts.numbers)


def test_the_same_random_numbers_give_the_same_corpus(salts: Corpus, exchanges: Exchanges) -> None:
    one, other = (
        exchanges.read(salts, salts.canonical, 0.5, np.random.default_rng(9)) for _ in range(2)
    )
    np.testing.assert_array_equal(one.numbers, other.numbers)
