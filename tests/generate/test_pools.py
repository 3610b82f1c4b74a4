"""Pools are ranked, given by rank, and go on after an interruption as if there had been none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import nearest_neighbour_distances
from nucleate.crystal.files import write_cif, write_extxyz
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.blocks import BlocksGenerator
from nucleate.generate.build import build_generators
from nucleate.generate.context import GeneratorContext
from nucleate.generate.kinds.graph_search import GraphSearchSettings
from nucleate.generate.kinds.pool import PoolSettings
from nucleate.generate.kinds.prototypes import PrototypesSettings
from nucleate.generate.kinds.wyckoff_language import WyckoffLanguageSettings
from nucleate.generate.mix import GeneratorMix
from nucleate.generate.pool import Member, RankedPool, ranked
from nucleate.generate.pool_files import given_pool, read_pool, unusable, write_pool
from nucleate.search.context import SearchContext
from nucleate.search.kinds.lowest_minima import LowestMinima, LowestMinimaSearch

NACL = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=16)


def salt(a: float, *, repeat: int = 1) -> Crystal:
    return Crystal.from_ase(bulk("NaCl", "rocksalt", a=a) * (repeat, 1, 1))


def volumes(members) -> list[float]:
    return [round(member.crystal.volume_per_atom, 3) for member in members]


SALTS = [Member(salt(a), {"file": f"{a}"}) for a in (5.2, 5.4, 5.6, 5.8, 6.0)]


def test_ranking_by_a_score_leaves_out_failures_and_repeats() -> None:
    members = [*SALTS, Member(salt(5.4, repeat=2), {"file": "double"})]
    by_volume = {round(m.crystal.volume_per_atom, 3): k for k, m in enumerate(members[:5])}

    def score(crystals):
        places = [by_volume[round(c.volume_per_atom, 3)] for c in crystals]
        return np.array([[3.0, 1.0, 2.0, np.nan, 0.5][place] for place in places])

    best = ranked(members, "single-point", space=NACL, score=score)
    assert [m.detail["file"] for m in best] == ["6.0", "5.4", "5.6", "5.2"]
    assert [m.detail["rank"] for m in best] == [1, 2, 3, 4]
    assert best[0].detail["ranking_energy"] == 0.5
    assert [m.detail["file"] for m in ranked(members, "given", space=NACL)][:2] == ["5.2", "5.4"]


def test_spp_ranking_relaxes() -> None:
    best = ranked(SALTS, "spp", space=NACL)
    assert best
    assert all(m.detail["ranked_by"] == "spp" for m in best)
    energies = [m.detail["ranking_energy"] for m in best]
    assert energies == sorted(energies)


def test_spp_ranking_keeps_the_distances_that_are_asked_for() -> None:
    def shortest(member: Member) -> float:
        return float(nearest_neighbour_distances(member.crystal).min())

    bound = max(map(shortest, ranked(SALTS, "spp", space=NACL))) + 0.01
    wide = [member for member in SALTS if shortest(member) > bound]
    assert wide, "some are wider than what they relax to"
    space = SearchSpace.create(
        Composition.from_formula("NaCl"), max_atoms=16, pair_distances={"Na-Cl": bound}
    )
    best = ranked(wide, "spp", space=space)
    assert best
    assert all(shortest(member) > bound for member in best)


def test_pool_gives_the_best_left_that_fits() -> None:
    pool = RankedPool(
        NACL,
        [Member(salt(5.6, repeat=4), {}), Member(salt(5.7), {}), Member(salt(5.8, repeat=2), {})],
        name="pool",
        leading=2,
    )
    rng = np.random.default_rng(0)
    orders = []
    first = pool.generate(rng=rng)
    assert first is not None
    assert pool.generate(rng=rng).crystal is first.crystal, "it stays until it is taken"
    assert pool.leads
    for limit in (2, None, 1, None, None):
        candidate = pool.generate(rng=rng, max_formula_units=limit)
        orders.append(None if candidate is None else candidate.origin.detail["order"])
        if candidate is not None:
            pool.note(candidate.origin)
    assert orders == [1, 0, None, 2, None]
    assert not pool.leads


def test_leading_pool_comes_first_then_by_weight() -> None:
    space = SearchSpace.create(Composition.from_formula("NaCl"), formula_units=(2,))
    pool = RankedPool(NACL, SALTS, name="pool", leading=3)
    mix = GeneratorMix([(BlocksGenerator(space), 50.0), (pool, 1.0)])
    sources = []
    for seed in range(12):
        candidate = mix.generate(rng=np.random.default_rng(seed))
        assert candidate is not None
        mix.note(candidate.origin)
        sources.append(candidate.origin.source)
    assert sources[:3] == ["pool"] * 3
    assert "blocks" in sources[3:]


def test_pool_file_comes_back(tmp_path: Path) -> None:
    members = ranked(SALTS, "given", space=NACL)
    write_pool(tmp_path / "pool.extxyz", members, name="pool")
    again = read_pool(tmp_path / "pool.extxyz")
    assert volumes(again) == volumes(members)
    for ours, theirs in zip(again, members, strict=True):
        assert {k: str(v) for k, v in ours.detail.items()} == {
            k: str(v) for k, v in theirs.detail.items()
        }
        assert np.allclose(ours.crystal.cell, theirs.crystal.cell, atol=1e-12)


def test_pool_of_another_program_is_counted_and_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "cdvae"
    folder.mkdir()
    write_cif(folder / "0.cif", salt(5.6))
    write_cif(folder / "1.cif", Crystal.from_ase(bulk("KCl", "rocksalt", a=6.3)))
    write_cif(folder / "2.cif", salt(2.0))
    large = salt(5.6, repeat=9)  # rattled: its primitive cell is as large
    moved = 0.02 * np.random.default_rng(0).random(large.scaled.shape)
    write_cif(folder / "3.cif", large.replace(scaled=large.scaled + moved))
    (folder / "4.cif").write_text("data_broken\n")
    write_extxyz(folder / "5.extxyz", [("x", salt(5.8)), ("y", salt(6.0))])
    before = sorted(path.name for path in folder.iterdir())
    members, found = given_pool(NACL, str(folder))
    assert [member.detail["formula_units"] for member in members] == [1, 1, 1]
    assert found.left_out == {"composition": 1, "contact": 1, "too-many-atoms": 1, "unreadable": 1}
    assert sorted(path.name for path in folder.iterdir()) == before
    warned: list[str] = []
    around = GeneratorContext(NACL, population=2, warn=warned.append)
    mix = build_generators([PoolSettings(files=str(folder))], around)
    assert "1 contact" in warned[0]
    assert {generator.name for generator in mix.generators} == {"pool", "blocks"}
    wrong = SearchSpace.create(Composition.from_formula("MgO"), max_atoms=8)
    members, found = given_pool(wrong, str(folder))
    assert members == []
    message = unusable(found, "pool", str(folder))
    assert re.search(r"none of .*\(composition 6, unreadable 1; .* not MgO\)", message)


def test_element_unknown_to_the_network_is_told_and_others_serve() -> None:
    pytest.importorskip("torch")
    space = SearchSpace.create(Composition.from_formula("XeF2"), max_atoms=6)
    warned: list[str] = []
    mix = build_generators([GraphSearchSettings()], GeneratorContext(space, warn=warned.append))
    assert "never seen Xe" in warned[0]
    assert {generator.name for generator in mix.generators} == {"symmetric", "blocks"}
    with pytest.warns(UserWarning, match="never seen Xe"):
        build_generators([GraphSearchSettings()], GeneratorContext(space))


def test_single_points_need_a_model() -> None:
    pytest.importorskip("torch")
    with pytest.raises(InputError, match="needs an energy model"):
        build_generators([GraphSearchSettings(ranking="single-point")], GeneratorContext(NACL))


def search_with_pool(folder: Path) -> LowestMinimaSearch:
    settings = GraphSearchSettings(
        number=60, refined=12, descent_steps=2, most_formula_units=2, ranking="network"
    )
    run = LowestMinima(generators=(settings,), population=4, new_fraction=0.5, seed=3)
    around = GeneratorContext(NACL, seed=3, population=4, folder=folder)
    source = build_generators([settings], around)
    return run.build(SearchContext(NACL, source, tiers=("toy",)))


def test_search_begins_with_the_best_and_goes_on_the_same_after_an_interruption(
    tmp_path: Path,
) -> None:
    pytest.importorskip("torch")
    whole = search_with_pool(tmp_path)
    trials = [whole.ask() for _ in range(10)]
    assert [t.candidate.origin.source for t in trials[:4] if t] == ["graph-search"] * 4
    assert [t.candidate.origin.detail["rank"] for t in trials[:4] if t] == [1, 2, 3, 4]
    assert (tmp_path / "pool.extxyz").is_file()
    resumed = search_with_pool(tmp_path)
    for trial in trials[:6]:
        assert trial is not None
        resumed.restore(trial)
    for trial in trials[6:]:
        again = resumed.ask()
        assert trial is not None
        assert again is not None
        assert again.candidate.origin.source == trial.candidate.origin.source
        assert np.allclose(
            again.candidate.crystal.scaled, trial.candidate.crystal.scaled, atol=1e-10
        )


def test_a_pool_that_is_remembered_is_not_made_again_and_begins_anew() -> None:
    settings = [PrototypesSettings(most=6), WyckoffLanguageSettings(number=3, ranking="likelihood")]
    pools: dict[int, RankedPool] = {}

    def drawn(context: GeneratorContext) -> list[tuple[str, int]]:
        mix, rng = build_generators(settings, context), np.random.default_rng(4)
        origins = []
        for _ in range(9):
            candidate = mix.generate(rng=rng)
            assert candidate is not None
            mix.note(candidate.origin)
            origins.append((candidate.origin.source, candidate.origin.detail.get("order", -1)))
        return origins

    first = drawn(GeneratorContext(space=NACL, pools=pools))
    kept = dict(pools)
    assert set(kept) == {0, 1}
    assert (
        drawn(GeneratorContext(space=NACL, pools=pools)) == first == drawn(GeneratorContext(NACL))
    )
    assert all(pools[place] is kept[place] for place in kept)
