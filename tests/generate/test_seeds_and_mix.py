"""Seeds are checked and given in order; a mix falls through to another generator."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_cif, write_extxyz, write_poscar
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate import build as generate_settings
from nucleate.generate.build import build_generators
from nucleate.generate.context import GeneratorContext
from nucleate.generate.kinds.pool import PoolSettings
from nucleate.generate.kinds.seeds import SeedsSettings
from nucleate.generate.mix import GeneratorMix
from nucleate.generate.seeds import SeedsGenerator, usable_seeds

NACL = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=16)
ROCKSALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
CAESIUM = Crystal.from_ase(bulk("NaCl", "cesiumchloride", a=3.45))


def test_seeds_come_in_order_then_none(tmp_path: Path) -> None:
    write_extxyz(tmp_path / "a.extxyz", [("one", ROCKSALT), ("two", CAESIUM)])
    write_cif(tmp_path / "b.cif", ROCKSALT)
    given = usable_seeds(NACL, str(tmp_path))
    generator = SeedsGenerator(NACL, [(item.name, item.crystal) for item in given.usable])
    rng = np.random.default_rng(0)
    drawn = [generator.generate(rng=rng) for _ in range(4)]
    assert drawn[3] is None
    volumes = [item.crystal.volume for item in drawn[:3] if item is not None]
    expected = [ROCKSALT.volume, CAESIUM.volume, ROCKSALT.volume]
    np.testing.assert_allclose(volumes, expected, rtol=1e-8)


def test_wrong_seeds_are_named(tmp_path: Path) -> None:
    wrong = Crystal.from_ase(bulk("KCl", "rocksalt", a=6.3))
    with pytest.raises(InputError, match=r"bad\.cif has the composition .*not NaCl"):
        SeedsGenerator(NACL, [("bad.cif", wrong)])
    large = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64) * (3, 3, 1))
    with pytest.raises(InputError, match="18 atoms, more than max_atoms = 16"):
        SeedsGenerator(NACL, [("large.cif", large)])
    with pytest.raises(InputError, match="matches no structure file"):
        usable_seeds(NACL, str(tmp_path / "*.cif"))


def test_mix_falls_through_and_counts() -> None:
    empty = SeedsGenerator(NACL, [])
    full = SeedsGenerator(NACL, [("x", ROCKSALT)])
    mix = GeneratorMix([(empty, 5.0), (full, 1.0)])
    assert mix.generate(rng=np.random.default_rng(0)) is not None
    assert mix.generate(rng=np.random.default_rng(0)) is None
    assert mix.counts["seeds"] == 1
    with pytest.raises(ValueError, match="positive weight"):
        GeneratorMix([(full, 0.0)])


def test_seeds_alone_come_first_and_are_completed(tmp_path: Path) -> None:
    write_cif(tmp_path / "b.cif", ROCKSALT)
    mix = build_generators([SeedsSettings(files=str(tmp_path / "b.cif"))], GeneratorContext(NACL))
    sources = []
    for seed in range(4):
        candidate = mix.generate(rng=np.random.default_rng(seed))
        assert candidate is not None
        sources.append(candidate.origin.source)
    assert sources[0] == "seeds"
    assert "seeds" not in sources[1:]


def test_conventional_cells_are_reduced_and_told_once(tmp_path: Path) -> None:
    cubic = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    for place in range(3):
        write_cif(tmp_path / f"{place}.cif", cubic, symprec=0.01)
    space = SearchSpace.create(Composition.from_formula("NaCl"), formula_units=[1, 2])
    for settings in (SeedsSettings(files=str(tmp_path)), PoolSettings(files=str(tmp_path))):
        warned: list[str] = []
        mix = build_generators([settings], GeneratorContext(space, warn=warned.append))
        first = mix.generators[0].generate(rng=np.random.default_rng(0))
        assert first is not None
        assert first.crystal.n_atoms == 2
        (told,) = warned
        assert told.startswith(f"{settings.kind}: 3 structures were given in a larger cell")


def test_one_bad_seed_costs_only_itself(tmp_path: Path) -> None:
    write_extxyz(tmp_path / "a.extxyz", [("one", ROCKSALT), ("two", CAESIUM)])
    broken = (tmp_path / "a.extxyz").read_text().replace("Cl", "Qq", 1)
    (tmp_path / "a.extxyz").write_text(broken)
    (tmp_path / "POSCAR").write_text("nothing")
    write_cif(tmp_path / "other.cif", Crystal.from_ase(bulk("KCl", "rocksalt", a=6.3)))
    write_poscar(tmp_path / "POSCAR_2", ROCKSALT)
    (tmp_path / "notes.txt").write_text("no structure")
    given = usable_seeds(NACL, str(tmp_path))
    assert [item.name for item in given.usable] == ["POSCAR_2", "two"]
    assert given.left_out == {"unreadable": 2, "composition": 1}
    (message,) = given.messages("seeds")
    assert "2 structures can be used" in message
    assert "2 unreadable, 1 composition" in message
    assert "POSCAR" in message


@pytest.mark.parametrize("kind", [SeedsSettings, PoolSettings])
def test_no_usable_structure_is_a_warning_and_others_serve(tmp_path: Path, kind) -> None:
    write_cif(tmp_path / "salt.cif", Crystal.from_ase(bulk("KCl", "rocksalt", a=6.3)))
    (tmp_path / "bad.cif").write_text("this is not a CIF file")
    warned: list[str] = []
    around = GeneratorContext(NACL, warn=warned.append)
    mix = build_generators([kind(files=str(tmp_path))], around)
    assert not {"seeds", "pool"} & set(kinds_of(mix))
    (told,) = warned
    assert "none of the structures" in told
    assert "composition 1" in told
    assert "unreadable 1" in told
    with pytest.raises(InputError, match="matches no structure file"):
        build_generators([kind(files=str(tmp_path / "none*.cif"))], GeneratorContext(NACL))


def test_a_warning_shows_its_message_and_no_line_of_code(tmp_path: Path) -> None:
    write_cif(tmp_path / "salt.cif", Crystal.from_ase(bulk("KCl", "rocksalt", a=6.3)))
    code = (
        "from nucleate.generate.context import GeneratorContext\n"
        "GeneratorContext(None).warn('only this')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "Warning: only this\n"


def test_fixed_atoms_are_told_to_be_free_in_a_search(tmp_path: Path) -> None:
    (tmp_path / "POSCAR").write_text(
        "x\n1\n3.5 0 0\n0 3.5 0\n0 0 3.5\nNa Cl\n1 1\nSelective\nDirect\n"
        "0 0 0 F F F\n.5 .5 .5 T T T\n"
    )
    (message,) = usable_seeds(NACL, str(tmp_path)).messages("seeds")
    assert "free in a search" in message


def kinds_of(mix):
    return [generator.name for generator in mix.generators]


def test_a_run_of_large_cells_begins_with_a_pool_and_small_ones_need_none(tmp_path):
    pytest.importorskip("torch")
    large = SearchSpace.create(Composition.from_formula("Ca3Ti2O7"), max_atoms=48)
    small = SearchSpace.create(Composition.from_formula("Ca3Ti2O7"), max_atoms=12)
    kept = GeneratorContext(large, folder=tmp_path)
    assert "graph-search" in kinds_of(build_generators([], kept))
    smaller = GeneratorContext(small, folder=tmp_path)
    names = ["prototypes", "symmetric", "blocks", "wyckoff-language"]
    assert kinds_of(build_generators([], smaller)) == names
    alone = GeneratorContext(large, known="off")
    assert kinds_of(build_generators([], alone)) == ["symmetric", "blocks"]


def test_without_torch_the_defaults_do_without_a_pool(tmp_path, monkeypatch):
    monkeypatch.setattr(generate_settings, "_has_torch", lambda: False)
    space = SearchSpace.create(Composition.from_formula("Ca3Ti2O7"), max_atoms=48)
    around = GeneratorContext(space, folder=tmp_path)
    assert kinds_of(build_generators([], around)) == ["prototypes", "symmetric", "blocks"]
