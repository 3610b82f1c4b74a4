from __future__ import annotations

import numpy as np
import pytest
from tests.potentials.conftest import distorted_oxide

from nucleate.errors import InputError
from nucleate.potentials.gulp_format import parse_gulp_library
from nucleate.potentials.toml_format import read_force_field

LIBRARY = """# A published set
species 4
Sr core  2.0
Ti core  4.0   # titanium
Y  core  3.0
O  core -2.0
buckingham inter
Sr core O core 1952.39   0.33685  19.22  1.2 12.0 0 0 0
Ti core O core 4590.7279 0.261     0.0   1.2 12.0
O O 1388.77 &
   0.36262 175.0 1.2 12.0
Y  core O core 23000.0   0.24203  0.0    1.2 12.0 1 0 0
dump every 5 dump.grs
"""

TOML = """
name = "set"
r_min_A = 1.2
[charges]
Sr = 2
Ti = 4
Y = 3
O = -2
[[buckingham]]
pair = ["Sr", "O"]
A_eV = 1952.39
rho_A = 0.33685
C_eV_A6 = 19.22
[[buckingham]]
pair = ["O", "Ti"]
A_eV = 4590.7279
rho_A = 0.261
[[buckingham]]
pair = ["O", "O"]
A_eV = 1388.77
rho_A = 0.36262
C_eV_A6 = 175.0
[[buckingham]]
pair = ["O", "Y"]
A_eV = 23000.0
rho_A = 0.24203
"""


def test_both_formats_give_the_published_field(oxides, tmp_path):
    (tmp_path / "field.toml").write_text(TOML)
    (tmp_path / "field.lib").write_text(LIBRARY)
    for name in ("field.toml", "field.lib"):
        field = read_force_field(tmp_path / name)
        assert dict(field.charges) == dict(oxides.charges)
        assert dict(field.buckingham) == dict(oxides.buckingham)
        crystal = distorted_oxide(0)
        energy = field.model(crystal.numbers).evaluate(crystal).energy
        assert energy == oxides.model(crystal.numbers).evaluate(crystal).energy


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("4590.7279 0.261 ", "4590.7279 x.261", 9, "not a number"),
        ("Ti core O core 4590.7279 0.261     0.0   1.2 12.0", "Ti core O core 4590", 9, "expected"),
        ("O  core -2.0", "O  shel -2.0", 6, "shells"),
        ("Y  core  3.0", "Y  core", 5, "expected"),
        ("dump every", "morse every", 13, "Morse"),
        ("dump every", "spline every", 13, "splines"),
        ("dump every", "frobnicate", 13, "unknown keyword"),
        ("buckingham inter", "buckingham intra", 7, "molecules"),
        ("O O 1388.77", "Sr O 1388.77", 10, "already has a term on line 8"),
        ("Y  core O core", "Qq core O core", 12, "element"),
        ("O O 1388.77", "O1 O2 1388.77", 10, "two kinds"),
    ],
)
def test_malformed_library_lines_are_named(old, new, line, words):
    text = LIBRARY.replace(old, new)
    assert text != LIBRARY
    with pytest.raises(InputError, match=f"line {line}: .*{words}"):
        parse_gulp_library(text, "bad.lib")


def test_library_units_cutoff_and_taper():
    text = (
        "species\nNa core 1\nCl core -1\ncutp 8.0 1.5\nbuck kcal\nNa Cl 1000.0 0.3 0.0 0.0 10.0\n"
    )
    field = parse_gulp_library(text, "units.lib")
    term = field.buckingham["Cl", "Na"]
    assert term.a == pytest.approx(43.3641)
    assert term.r_max == 8.0
    assert field.taper == 1.5


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rho_A = 0.261", "rho_A = -0.261", "rho_A"),
        ("rho_A = 0.261", "rh_A = 0.261", "rh"),
        ('["O", "Ti"]', '["O", "Sr"]', "O-Sr has two"),
        ('["O", "Ti"]', '["O", "Tx"]', "Tx"),
        ("Sr = 2", "Sr = ", "TOML"),
        ("r_min_A = 1.2", "r_min_A = 13.0", "r_max_A"),
    ],
)
def test_malformed_toml_names_the_key(tmp_path, old, new, words):
    path = tmp_path / "bad.toml"
    path.write_text(TOML.replace(old, new, 1))
    with pytest.raises(InputError, match=words):
        read_force_field(path)


def test_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_force_field(tmp_path / "none.toml")


def test_a_pair_without_a_potential_is_named(oxides):
    with pytest.raises(InputError, match=r"Ba-O.*Ba has no charge"):
        oxides.check([56, 8])


def test_a_charge_sum_that_is_not_zero_is_told(oxides):
    with pytest.raises(InputError, match=r"\+2 e.*O -2"):
        oxides.check([38, 22, 8, 8])


def test_cations_may_do_without_a_potential(oxides):
    oxides.check(np.array([38, 22, 8, 8, 8]))


def test_the_example_of_the_reference_page_works(tmp_path):
    from pathlib import Path

    page = Path(__file__).parents[2] / "docs" / "reference" / "force-field-format.md"
    (tmp_path / "example.toml").write_text(page.read_text().split("```toml\n")[1].split("```")[0])
    crystal = distorted_oxide(0)
    model = read_force_field(tmp_path / "example.toml").model(crystal.numbers)
    assert model.evaluate(crystal).energy < -100.0
