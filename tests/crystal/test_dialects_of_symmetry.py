"""Symmetry as databases and programs write it: names, Hall symbols, operations, origins."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
from tests.crystal.dialects import cell, problem, single, sites


def asymmetric(entry: gemmi.SpaceGroup) -> str:
    """Return cell and one general atom that every operation of a setting allows."""
    system = entry.crystal_system_str()
    if entry.ext == "R":
        return cell(31.0, alpha=75, beta=75, gamma=75)
    if system in ("trigonal", "hexagonal"):
        return cell(31.0, c=37.0, gamma=120)
    if system == "cubic":
        return cell(41.0)
    if system == "tetragonal":
        return cell(31.0, c=37.0)
    if system == "orthorhombic":
        return cell(31.0, 37.0, 43.0)
    if system == "monoclinic":
        axis = "abc".index(entry.qualifier.strip("-")[0]) if entry.qualifier else 1
        angles = {("alpha", "beta", "gamma")[axis]: 100}
        return cell(31.0, 37.0, 43.0, **angles)
    return cell(31.0, 37.0, 43.0, 81, 95, 103)


def test_every_setting_is_read_by_its_hall_symbol_and_name() -> None:
    """Against gemmi's own expansion: all 530 settings by Hall symbol, extended name, short name."""
    row = sites("O1 0.137 0.231 0.389")
    for place, entry in enumerate(gemmi.spacegroup_table_itb()):
        head = asymmetric(entry)
        point = np.array([0.137, 0.231, 0.389])
        expected = np.array([op.apply_to_xyz(point.tolist()) for op in entry.operations()]) % 1.0
        shown = entry.xhm() if place % 2 else entry.xhm().replace(" ", "")
        for line in (
            f"_symmetry_space_group_name_Hall '{entry.hall}'",
            f"_space_group_name_H-M_alt '{shown}'",
        ):
            got = single(f"{head}{line}\n{row}").crystal.scaled % 1.0
            assert len(got) == len(expected), (entry.xhm(), line)
            gaps = got[:, None] - expected[None]
            gaps -= np.rint(gaps)
            assert np.abs(gaps).max(axis=2).min(axis=1).max() < 1e-6, (entry.xhm(), line)


@pytest.mark.parametrize(
    ("name", "hall"),
    [("R -3 m H", '-R 3 2"'), ("R-3mH", '-R 3 2"'), ("R 3 c :H", 'R 3 -2"c'), ("P 21/n", "-P 2yn"),
     ("P 21/a", "-P 2yab"), ("I 2/a", "-I 2ya"), ("P2(1)/c", "-P 2ybc"), ("P 2_1/c", "-P 2ybc"),
     ("F d -3 m Z", "-F 4vw 2vw 3"), ("F d -3 m S", "F 4d 2 3 -1d"), ("Fd-3m:2", "-F 4vw 2vw 3"),
     ("F d -3 m (origin choice 2)", "-F 4vw 2vw 3"), ("P 4/n m m :2", "-P 4a 2a"),
     ("F m 3 m", "-F 4 2 3"),
     ("P n m a", "-P 2ac 2n"), ("PNMA", "-P 2ac 2n"), ("P b n m", "-P 2c 2ab"),
     ("C m c e", "-C 2bc 2"),
     ("P 63/m m c", "-P 6c 2c"), ("P6_3/mmc", "-P 6c 2c")],
)  # fmt: skip
def test_names_as_databases_spell_them(name: str, hall: str) -> None:
    expected = gemmi.symops_from_hall(hall)
    found = gemmi.find_spacegroup_by_ops(expected)
    assert found is not None
    text = f"{asymmetric(found)}_symmetry_space_group_name_H-M '{name}'\n" + sites(
        "O1 .137 .231 .389"
    )
    again = single(text).crystal
    by_hall = single(text.replace("_H-M", "_Hall").replace(name, hall)).crystal
    assert again.n_atoms == len(list(expected))
    np.testing.assert_allclose(
        np.sort(again.scaled % 1, 0), np.sort(by_hall.scaled % 1, 0), atol=1e-9
    )


@pytest.mark.parametrize("number", [48, 50, 59, 68, 70, 85, 88, 125, 129, 141, 201, 222, 227])
def test_two_origins_are_refused_in_every_setting_unless_a_code_tells(
    number: int,
) -> None:
    entries = [entry for entry in gemmi.spacegroup_table_itb() if entry.number == number]
    assert {entry.ext for entry in entries} == {"1", "2"}
    for entry in entries:
        head = asymmetric(entry)
        row = sites("O1 0.137 0.231 0.389")
        assert "two origins" in problem(f"{head}_symmetry_space_group_name_H-M '{entry.hm}'\n{row}")
        code = f"_space_group.IT_coordinate_system_code {entry.ext}\n"
        named = f"{head}_space_group_name_H-M_alt '{entry.hm}'\n"
        assert single(named + code + row).crystal.n_atoms == len(list(entry.operations()))
    assert "two origins" in problem(
        f"{asymmetric(entries[0])}_space_group_IT_number {number}\n{row}"
    )


def test_content_settles_the_origin() -> None:
    head = cell(5.43) + "_space_group_name_H-M_alt 'F d -3 m'\n_space_group_IT_number 227\n"
    text = head + "_chemical_formula_sum Si\n_cell_formula_units_Z 8\n" + sites("Si1 0 0 0")
    structure = single(text)
    assert structure.crystal.n_atoms == 8
    assert "F d -3 m:1" in structure.notes[0]
    assert "two origins" in problem(text.replace("Z 8", "Z 9"))


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("_space_group_name_Hall '-F 4 2 3'\n_space_group_IT_number 221\n", "225"),
        ("_space_group_name_H-M_alt 'F m -3 m'\n_space_group_IT_number 221\n", "225"),
        ("_space_group_name_Hall 'Q 7'\n", "Hall symbol"),
        ("_space_group_name_H-M_alt 'P 6/m m m'\n", "does not fit the cell"),
        ("_space_group_IT_number 231\n", "231"),
        ("_symmetry_equiv_pos_as_xyz 'x,y'\n", "three parts"),
        ("_symmetry_equiv_pos_as_xyz 'x+1/0,y,z'\n", "cannot be read"),
        ("_symmetry_equiv_pos_as_xyz 'x+0.5/2,y,z'\n", "cannot be read"),
        ("_symmetry_equiv_pos_as_xyz 'x,x,z'\n", "cannot be read"),
        ("_symmetry_equiv_pos_as_xyz 'x+y2,y,z'\n", "cannot be read"),
        ("_cell_modulation_dimension 1\n", "modulated"),
        ("_space_group_ssg_name 'Pnma(00g)0s0'\n", "modulated"),
        ("_space_group_magn.name_BNS 'P_a 2/m'\n", "magnetic"),
    ],
)
def test_symmetry_that_cannot_be_used(lines: str, told: str) -> None:
    assert told in problem(cell(5.64) + lines + sites("Na1 0 0 0", "Cl1 0.5 0.5 0.5"))


def test_a_magnetic_name_gives_its_chemical_group() -> None:
    text = cell(7.13, c=4.05) + "_space_group.magn_name_BNS \"P 4/m' b' m' \"\n"
    structure = single(text + sites("Gd1 0.31746 0.81746 0", "B1 0 0 0.2029"))
    assert structure.crystal.formula == "Gd4B4"
    assert "magnetic" in structure.notes[0]
