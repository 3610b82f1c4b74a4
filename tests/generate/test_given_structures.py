"""Structures of the user and pools of other programs: formats, larger cells, damage, pressure."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import ase.io
import numpy as np
import pytest
from ase.build import bulk, make_supercell
from ase.spacegroup import crystal as from_space_group
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.core import Structure
from tests.strategies import rotations, unimodular

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import write_cif, write_extxyz, write_poscar
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.formats.cif_writer import format_cif
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.generate.given import at_rest, given_structures, primitive, structure_files
from nucleate.generate.pool import Member
from nucleate.generate.pool_files import given_pool, read_pool, write_pool
from nucleate.generate.seeds import SeedsGenerator, usable_seeds

RUTILE = Crystal.from_ase(
    from_space_group(
        ["Ti", "O"],
        [(0, 0, 0), (0.305, 0.305, 0)],
        spacegroup=136,
        cellpar=[4.59, 4.59, 2.96, 90, 90, 90],
    )
)
TIO2 = SearchSpace.create(Composition.from_formula("TiO2"), max_atoms=24)
NACL = SearchSpace.create(Composition.from_formula("NaCl"), max_atoms=8)
SALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
one_folder = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def zipped(path: Path) -> None:
    write_cif(path.with_suffix(".cif"), RUTILE)
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_suffix(".cif"), "inner.cif")
        archive.writestr("readme.txt", "no structure")
    path.with_suffix(".cif").unlink()


WRITERS: dict[str, Callable[[Path], object]] = {
    "plain.cif": lambda path: write_cif(path, RUTILE),
    "symmetric.cif": lambda path: write_cif(path, RUTILE, symprec=0.01),
    "frames.extxyz": lambda path: write_extxyz(path, [("r", RUTILE)]),
    "POSCAR": lambda path: write_poscar(path, RUTILE),
    "ours.cif.gz": lambda path: path.write_bytes(gzip.compress(format_cif(RUTILE).encode())),
    "ours.zip": zipped,
    "ase.cif": lambda path: ase.io.write(path, RUTILE.to_ase()),
    "ase.extxyz": lambda path: ase.io.write(path, RUTILE.to_ase()),
    "ase.vasp": lambda path: ase.io.write(path, RUTILE.to_ase(), format="vasp"),
    "ase.res": lambda path: ase.io.write(path, RUTILE.to_ase()),
    "pymatgen.cif": lambda path: RUTILE.to_pymatgen().to(filename=str(path)),
    "pymatgen.vasp": lambda path: path.write_text(RUTILE.to_pymatgen().to(fmt="poscar")),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_of_every_program_gives_the_crystal(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    found = given_structures(TIO2, str(tmp_path / name))
    (item,) = found.usable
    assert not found.left_out
    assert item.file == str(tmp_path / name)
    assert item.crystal.n_atoms == 6
    assert item.crystal.volume == pytest.approx(RUTILE.volume, rel=1e-5)
    assert fingerprint_distance(fingerprint(item.crystal), fingerprint(RUTILE)) < 1e-3


@settings(max_examples=25)
@given(unimodular(), rotations(), st.sampled_from([1, 2, 3, 4]), st.integers(0, 2**31))
def test_any_cell_of_a_crystal_is_reduced_to_its_primitive_one(change, turn, times, seed) -> None:
    rng = np.random.default_rng(seed)
    matrix = np.diag(rng.permutation([times, 1, 1])) @ change
    atoms = make_supercell(RUTILE.to_ase(), matrix)
    atoms.set_scaled_positions(atoms.get_scaled_positions() + rng.random(3))
    atoms.set_cell(atoms.cell.array @ turn, scale_atoms=True)
    large = Crystal.from_ase(atoms[rng.permutation(len(atoms))])
    small = primitive(large)
    assert small.n_atoms == 6
    assert small.volume_per_atom == pytest.approx(RUTILE.volume_per_atom, rel=1e-6)
    structure = Structure(small.cell, small.numbers.tolist(), small.scaled)
    assert len(structure.get_primitive_structure(tolerance=0.01)) == 6
    assert fingerprint_distance(fingerprint(small), fingerprint(RUTILE)) < 2e-3


@pytest.mark.parametrize(("size", "atoms"), [(0.001, 2), (0.05, 4)])
def test_only_a_cell_that_repeats_is_reduced(size: float, atoms: int) -> None:
    double = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64) * (2, 1, 1))
    shift = np.zeros((4, 3))
    shift[0] = size
    moved = Crystal.from_positions(double.numbers, double.cell, double.positions + shift)
    assert primitive(moved).n_atoms == atoms
    if atoms == 4:
        assert primitive(moved) is moved
    single = Crystal(np.array([14]), 3.0 * np.eye(3), np.zeros((1, 3)))
    assert primitive(single) is single


def test_a_large_cell_of_a_small_crystal_fits_a_small_space(tmp_path: Path) -> None:
    write_poscar(tmp_path / "POSCAR", Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64) * 3))
    found = given_structures(NACL, str(tmp_path))
    assert [item.crystal.n_atoms for item in found.usable] == [2]
    assert found.reduced == 1
    (message,) = found.messages("seeds")
    assert message == (
        "seeds: 1 structure was given in a larger cell and is used in its primitive one"
    )


@one_folder
@given(st.floats(0.0, 1.0), st.sampled_from(["plain.cif", "frames.extxyz", "POSCAR", "ours.zip"]))
def test_a_file_cut_short_is_counted_and_nothing_breaks(
    tmp_path: Path, share: float, name: str
) -> None:
    path = tmp_path / name
    WRITERS[name](path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(share * len(raw))])
    found = given_structures(TIO2, str(path))
    assert len(found.usable) + found.left_out.total() == 1
    for item in found.usable:
        assert TIO2.rejection(item.crystal, check_volume=False) is None
    for reason, example in found.examples.items():
        assert found.left_out[reason] > 0
        assert name in example


@one_folder
@given(st.binary(max_size=200), st.sampled_from(["x.cif", "x.extxyz", "POSCAR", "x.res", "x.zip"]))
def test_rubbish_is_unreadable_and_says_which_file(tmp_path: Path, raw: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(raw)
    found = given_structures(TIO2, str(tmp_path / name))
    assert not found.usable
    assert found.left_out.total() >= 1
    assert all(name in example for example in found.examples.values())


def test_files_come_in_the_order_of_the_patterns_and_by_name_within(tmp_path: Path) -> None:
    for name in ("b/2.cif", "b/10.cif", "a/deep/1.cif", "POSCAR"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_cif(tmp_path / name, SALT)
    (tmp_path / "b" / "notes.txt").write_text("no structure")
    patterns = [str(tmp_path / "POSCAR"), str(tmp_path / "b"), str(tmp_path / "**" / "*.cif")]
    found = [str(path.relative_to(tmp_path)) for path in structure_files(patterns)]
    assert found[0] == "POSCAR"
    assert sorted(found[1:3]) == ["b/10.cif", "b/2.cif"]
    assert found[3:] == ["a/deep/1.cif", "b/10.cif", "b/2.cif"]


@pytest.mark.parametrize("pattern", ["none.cif", "a\0b", "x" * 5000, "[", ""])
def test_a_pattern_without_a_match_is_an_error_that_shows_it(tmp_path: Path, pattern) -> None:
    where = str(tmp_path / pattern) if pattern not in ("a\0b", "") else pattern
    with pytest.raises(InputError, match=r"^pool: .* matches no structure file\. Give CIF"):
        structure_files([where], kind="pool")


@given(st.floats(0.3, 3.0), st.floats(0.3, 1.7))
def test_a_crystal_is_taken_at_the_pressure_whose_volume_is_nearer(ratio, start_ratio) -> None:
    """The expected volume under the pressure is that at rest times the square of the start's."""
    expected = NACL.volume_per_atom
    crystal = SALT.with_volume(2.0 * expected * ratio)
    found = at_rest(crystal, NACL, start_ratio)
    at_zero, pressed = abs(np.log(ratio)), abs(np.log(ratio / start_ratio**2))
    if abs(at_zero - pressed) < 1e-9:
        return
    if pressed < at_zero:
        assert found.volume == pytest.approx(crystal.volume / start_ratio)
    else:
        assert found is crystal
    np.testing.assert_array_equal(found.scaled, crystal.scaled)


def test_structures_computed_under_pressure_come_as_at_rest(tmp_path: Path) -> None:
    dense = SALT.with_volume(2.0 * NACL.volume_per_atom * 0.6)
    write_cif(tmp_path / "dense.cif", dense)
    write_cif(tmp_path / "open.cif", SALT.with_volume(2.0 * NACL.volume_per_atom))
    members, _ = given_pool(NACL, str(tmp_path), start_ratio=0.8)
    seeds = usable_seeds(NACL, str(tmp_path), 0.8).usable
    for crystals in ([m.crystal for m in members], [item.crystal for item in seeds]):
        ratios = [crystal.volume_per_atom / NACL.volume_per_atom for crystal in crystals]
        assert ratios == pytest.approx([0.75, 1.0], rel=1e-6)


DETAILS = [
    {"rank": 1, "network_energy": -1.25, "wyckoff": "Na a, Cl b", "space_group": "Fm-3m"},
    {"rank": 2, "network_energy": -1e-7, "wyckoff": "Na a, Cl bc", "formula_units": 3},
    {"rank": 3, "file": "with space/and = sign.cif", "label": "Größe"},
]


def test_a_pool_file_keeps_values_with_their_types(tmp_path: Path) -> None:
    members = [Member(SALT.with_volume(40.0 + k), detail) for k, detail in enumerate(DETAILS)]
    write_pool(tmp_path / "pool.extxyz", members, name="mine")
    again = read_pool(tmp_path / "pool.extxyz")
    for ours, theirs in zip(again, members, strict=True):
        detail = {key: value for key, value in ours.detail.items() if key in theirs.detail}
        assert detail == theirs.detail
        assert [type(value) for value in detail.values()] == [
            type(theirs.detail[key]) for key in detail
        ]
        assert "source" not in ours.detail
        np.testing.assert_array_equal(ours.crystal.cell, theirs.crystal.cell)
        gaps = ours.crystal.scaled - theirs.crystal.scaled
        assert np.abs(gaps).max() < 1e-13
    assert [path.name for path in tmp_path.iterdir()] == ["pool.extxyz"], "and no part is left"
    frames = ase.io.read(tmp_path / "pool.extxyz", index=":")
    assert [frame.info["rank"] for frame in frames] == [1, 2, 3]


def test_a_damaged_pool_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "pool.extxyz"
    write_pool(path, [Member(SALT, {"rank": k}) for k in range(4)], name="pool")
    whole = path.read_text(encoding="utf-8")
    for damaged in (whole[: len(whole) * 2 // 3], whole.replace("Cl", "Qq", 1), "rubbish"):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(InputError, match=r"pool\.extxyz.*Remove the"):
            read_pool(path)
    with pytest.raises(InputError, match="Remove the pool to make it again"):
        read_pool(tmp_path / "none.extxyz")


def test_an_interrupted_write_leaves_the_old_pool(tmp_path: Path) -> None:
    path = tmp_path / "pool.extxyz"
    write_pool(path, [Member(SALT, {"rank": 1})], name="pool")
    before = path.read_bytes()

    class Full:
        """A member whose crystal cannot be written, as on a full disk."""

        detail: ClassVar[dict[str, int]] = {"rank": 2}

        @property
        def crystal(self) -> Crystal:
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        write_pool(path, [Member(SALT, {}), Full()], name="pool")  # type: ignore[list-item]
    assert path.read_bytes() == before


def test_seeds_continue_where_an_interrupted_search_was() -> None:
    crystals = [(f"{k}.cif", SALT.with_volume(40.0 + k)) for k in range(5)]
    whole = SeedsGenerator(NACL, crystals)
    origins = []
    while (candidate := whole.generate(rng=np.random.default_rng(0))) is not None:
        origins.append(candidate.origin)
    assert [origin.detail["file"] for origin in origins] == [name for name, _ in crystals]
    for taken in range(6):
        again = SeedsGenerator(NACL, crystals)
        for origin in reversed(origins[:taken]):
            again.note(origin)
        following = again.generate(rng=np.random.default_rng(9), max_formula_units=1)
        assert (following is None) == (taken == 5)
        if following is not None:
            assert following.origin == origins[taken]
