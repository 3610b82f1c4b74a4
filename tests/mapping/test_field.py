"""The compositions of a field: neutrality, windows, lines, points, and what is refused."""

from __future__ import annotations

from itertools import product
from math import gcd

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.mapping.field import Field, check_models, field_of
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.states import neutral_rows
from nucleate.mapping.windows import Window, read_window


def of(system: str, **options: object) -> Field:
    return field_of(MapSettings.from_dict({"field": {"system": system, **options}}))


def formulas(field: Field) -> list[str]:
    return [item.formula for item in field.compositions]


def test_corners_come_first_and_the_order_is_fixed() -> None:
    field = of("O-Sr-Ti")
    assert formulas(field)[:7] == ["Sr", "Ti", "O", "SrO", "TiO", "TiO2", "Ti2O3"]
    assert field.origins[:4] == ("corner", "corner", "corner", "grid")
    assert formulas(of("Ti-O-Sr")) == formulas(field)
    sizes = [(len(item.items), item.n_atoms) for item in field.inner]
    assert sizes == sorted(sizes)
    assert field.index_of("TiSrO3") == formulas(field).index("SrTiO3")
    assert field.index_of("SrTi") is None


@pytest.mark.parametrize(
    ("system", "most"), [("Y-Sr-Ti-O", 304), ("Sr-Ti-O", 103), ("Li-Sn-S-Cl", 304), ("Ni-Al", 42)]
)
def test_the_default_size_keeps_the_number_of_compositions_low(system: str, most: int) -> None:
    assert most / 8 < len(of(system).compositions) <= most


def test_the_phases_that_chemists_know_are_in_the_grid() -> None:
    known = {"SrTiO3", "Sr2TiO4", "Sr3Ti2O7", "Y2Ti2O7", "SrY2O4", "Y2O3", "SrY2TiO6"}
    assert known <= set(formulas(of("Y-Sr-Ti-O")))
    assert "Li4OBrCl" in formulas(of("Li-O-Br-Cl"))
    assert {"FeO", "Fe2O3", "Fe3O4"} <= set(formulas(of("Fe-O")))
    assert {"SnS", "SnS2", "Sn2S3"} <= set(formulas(of("Sn-S")))


def test_given_states_replace_usual_ones() -> None:
    found = formulas(of("Sr-Ti-O", oxidation_states={"Ti": 4}))
    assert "SrTiO3" in found
    assert "Ti2O3" not in found
    mixed = formulas(of("Li-Sn-S-Cl", oxidation_states={"Sn": [2, 4]}))
    assert {"SnS", "SnS2", "Sn3S4"} <= set(mixed)


def test_alloys_are_free() -> None:
    field = of("Ni-Al")
    assert not field.is_neutral
    assert {"NiAl", "Ni3Al", "Ni2Al3", "NiAl3"} <= set(formulas(field))
    assert "NiAl7" not in formulas(field)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=3, max_size=3))
def test_neutrality_by_trying_all_states(counts: list[int]) -> None:
    symbols, states = ("Sr", "Sn", "Cl"), {"Sr": 2, "Sn": (2, 4), "Cl": -1}
    n_sn = counts[1]
    means = {2 * (n_sn - k) + 4 * k for k in range(n_sn + 1)}
    low, high = min(means), max(means)
    charge = counts[2] - 2 * counts[0]
    found = neutral_rows(symbols, np.array([counts]), states)[0]
    assert found == (low <= charge <= high)


def test_end_members_are_all_mixtures() -> None:
    field = of("Li2O-SiO2-LiCl", max_ratio=2, max_atoms_per_formula=12)
    wanted = set()
    for a, b, c in product(range(13), repeat=3):
        present = [k for k in (a, b, c) if k]
        if len(present) < 2 or gcd(a, b, c) > 1 or max(present) > 2 * min(present):
            continue
        counts = {"Li": 2 * a + c, "Si": b, "O": a + 2 * b, "Cl": c}
        item = Composition.from_counts({s: n for s, n in counts.items() if n})
        if item.n_atoms <= 12:
            wanted.add(frozenset(item.items))
    assert {frozenset(item.items) for item in field.inner} == wanted
    np.testing.assert_allclose(field.coordinates.sum(axis=1), 1.0)
    place = field.index_of("Li2SiO3")
    assert place is not None
    np.testing.assert_allclose(field.coordinates[place], [0.5, 0.5, 0.0], atol=1e-12)


@pytest.mark.parametrize("system", ["Li3Sn-LiSn3", "Cu3Au-CuAu3", "Li3Sn-LiSn3-Li2S"])
def test_mixtures_that_reduce_to_small_formulas_are_in_the_grid(system: str) -> None:
    field = of(system, max_ratio=6, max_atoms_per_formula=7)
    members = [Composition.from_formula(text).counts for text in system.split("-")]
    wanted = set()
    for amounts in product(range(60), repeat=len(members)):
        present = [k for k in amounts if k]
        if len(present) < 2 or gcd(*amounts) > 1 or max(present) > 6 * min(present):
            continue
        counts = [
            sum(k * member.get(symbol, 0) for k, member in zip(amounts, members, strict=True))
            for symbol in field.elements
        ]
        row = tuple(n // gcd(*counts) for n in counts)
        if sum(row) <= 7:
            wanted.add(row)
    corners = {tuple(field.counts_of(member)) for member in field.members}
    found = {tuple(field.counts_of(item)) for item in field.inner}
    assert found == wanted - corners
    assert len(found) > 3


def test_windows_of_elements_and_of_end_members() -> None:
    field = of("Li-O-Br-Cl", windows=["0.3 < x(Li) <= 0.5", "x(Cl) >= 0.2"])
    fractions = field.counts / field.counts.sum(axis=1, keepdims=True)
    inner = fractions[4:]
    assert len(inner) > 0
    lithium, chlorine = (field.elements.index(symbol) for symbol in ("Li", "Cl"))
    assert ((inner[:, lithium] > 0.3) & (inner[:, lithium] <= 0.5 + 1e-12)).all()
    assert (inner[:, chlorine] >= 0.2 - 1e-12).all()
    field = of("Li2O-SiO2-LiCl", windows=["x(Li2O) < 0.4", "0.2 < x(Cl)"])
    assert (field.coordinates[3:, 0] < 0.4).all()


def test_a_window_has_larger_formulas_than_the_whole_field() -> None:
    states = {"Sn": [2, 4]}
    whole = of("Li-Sn-S-Cl", oxidation_states=states)
    narrow = of("Li-Sn-S-Cl", oxidation_states=states, windows=["0.1 < x(Li) < 0.12"])
    assert (whole.max_atoms_per_formula, narrow.max_atoms_per_formula) == (12, 24)
    assert 50 < len(narrow.inner) <= 300
    lithium = narrow.coordinates[len(narrow.members) :, narrow.elements.index("Li")]
    assert ((lithium > 0.1) & (lithium < 0.12)).all()
    everything = of("Li-Sn-S-Cl", oxidation_states=states, windows=["x(Li) >= 0"])
    assert formulas(everything) == formulas(whole)


@pytest.mark.parametrize(
    ("text", "window"),
    [
        ("0.1<x(Li)<0.4", Window("Li", 0.1, 0.4, False, False)),
        ("0.4 >= x(Li) > .1", Window("Li", 0.1, 0.4, False, True)),
        ("x(Li2O) <= 0.5", Window("Li2O", 0.0, 0.5, True, True)),
        ("0.5 < x(O)", Window("O", 0.5, 1.0, False, True)),
    ],
)
def test_windows_are_read(text: str, window: Window) -> None:
    assert read_window(text) == window


def test_lines_and_points_are_added_beside_the_windows() -> None:
    field = of(
        "Y-Sr-Ti-O",
        windows=["x(Y) > 0.35"],
        lines=["SrO-TiO2"],
        points=["Y2SrTiO6", "Sr7Ti6O19", "YTiO3"],
        max_ratio=3,
    )
    origin = dict(zip(formulas(field), field.origins, strict=True))
    assert origin["SrTiO3"] == origin["Sr3TiO5"] == "line"
    assert "Sr4TiO6" not in origin
    assert origin["SrO"] == "line"
    oxide = of("Sr-Ti-O", lines=["Sr-O"], max_atoms_per_formula=6)
    on_line = [f for f, o in zip(formulas(oxide), oxide.origins, strict=True) if o == "line"]
    assert on_line == []
    assert formulas(oxide) == formulas(of("Sr-Ti-O", max_atoms_per_formula=6))
    assert origin["SrY2TiO6"] == origin["Sr7Ti6O19"] == origin["YTiO3"] == "point"
    assert origin["Y2O3"] == "grid"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"system": "SrO"}, ["field.system", "SrO", "2 to 6"]),
        ({"system": "Sr-Xx"}, ["field.system", "Xx"]),
        ({"system": "Sr-O-Sr"}, ["twice"]),
        ({"system": "SrO-TiO2-SrTiO3"}, ["field.system", "mixture"]),
        ({"system": "He-O"}, ["field.system", "neutral", "oxidation_states"]),
        (
            {"system": "Cu-Au", "max_atoms_per_formula": 1},
            ["field.max_atoms_per_formula = 1", "Raise it"],
        ),
        ({"system": "Sr-Ti-O", "max_atoms": 1}, ["field.max_atoms = 1", "Raise it"]),
        ({"system": "Sr-O", "oxidation_states": {"O": 1}}, ["oxidation_states", "adds up"]),
        ({"system": "Sr-Ti-O", "oxidation_states": {"Al": 3}}, ["Al", "Remove"]),
        ({"system": "Sr-Ti-O", "oxidation_states": {"Ti": 0}}, ["Ti", "whole charge"]),
        (
            {
                "system": "Sr-Ti-O",
                "oxidation_states": {"Ti": 9},
                "max_atoms_per_formula": 8,
            },
            ["Ti", "adds up"],
        ),
        ({"system": "Ni-Al", "oxidation_states": {"Al": 3}}, ["no effect", "neutral = true"]),
        ({"system": "Sr-Ti-O", "windows": ["0.9 < x(O)"]}, ["windows", "x(O)", "0.5"]),
        ({"system": "Sr-Ti-O", "windows": ["x(La) < 0.5"]}, ["La", "Sr, Ti, O"]),
        ({"system": "Sr-Ti-O", "windows": ["0.4 < x(O) < 0.3"]}, ["no fraction is inside"]),
        ({"system": "Sr-Ti-O", "windows": ["x(O) = 0.3"]}, ["cannot be read"]),
        ({"system": "Sr-Ti-O", "windows": ["x(O)"]}, ["cannot be read"]),
        ({"system": "Sr-Ti-O", "windows": ["x(O) < 2"]}, ["not a fraction"]),
        ({"system": "Sr-Ti-O", "points": ["LaTiO3"]}, ["points", "LaTiO3", "not in the field"]),
        ({"system": "Sr-Ti-O", "points": ["SrTi3"]}, ["SrTi3", "not charge-neutral"]),
        ({"system": "Sr-Ti-O", "points": ["SrTi3O1.5"]}, ["points", "1.5"]),
        ({"system": "SrO-TiO2", "lines": ["SrO-Ti"]}, ["lines", "Ti", "not in the field"]),
        ({"system": "SrO-TiO2", "lines": ["SrO"]}, ["lines", "two compositions"]),
        ({"system": "Y-Sr-Ti-O-N-F", "max_atoms_per_formula": 60}, ["max_atoms_per_formula"]),
        ({"system": "Ca-Mg-Al-Si-Cu", "max_atoms_per_formula": 12}, ["more than 2000", "windows"]),
        ({"system": "LiF-NaF-KF-RbF-CsF", "max_atoms_per_formula": 100}, ["too many formulas"]),
        ({"system": "Sr-O", "pressure_gpa": -1.0}, ["field.pressure_gpa", "allow_tension"]),
        ({"system": "Sr-O", "max_atom": 3}, ["max_atom ", "max_atoms"]),
    ],
)
def test_bad_input_is_one_sentence(options: dict[str, object], words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        field_of(MapSettings.from_dict({"field": options}))
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_elements_that_no_tier_knows_are_refused() -> None:
    settings = MapSettings.from_dict({"field": {"system": "Am-O"}})
    with pytest.raises(InputError, match=r"'chgnet'.*Am"):
        check_models(field_of(settings), settings.tier)
    proxy = MapSettings.from_dict(
        {"field": {"system": "Am-O"}, "tier": [{"name": "spp", "engine": "spp"}]}
    )
    with pytest.raises(InputError, match=r"'spp'.*Am"):
        check_models(field_of(proxy), proxy.tier)


def test_a_force_field_needs_neutral_corners(tmp_path) -> None:
    file = tmp_path / "field.toml"
    file.write_text(
        'name = "test"\n[charges]\nSr = 2.0\nO = -2.0\n'
        '[[buckingham]]\npair = ["Sr", "O"]\nA_eV = 1000.0\nrho_A = 0.3\nC_eV_A6 = 0.0\n'
        '[[buckingham]]\npair = ["O", "O"]\nA_eV = 1000.0\nrho_A = 0.2\nC_eV_A6 = 0.0\n'
    )
    data = {
        "field": {"system": "Sr-O"},
        "tier": [{"name": "ff", "engine": {"kind": "force-field", "file": str(file)}}],
    }
    settings = MapSettings.from_dict(data)
    with pytest.raises(InputError, match=r"corner Sr.*end members"):
        check_models(field_of(settings), settings.tier)


@pytest.mark.parametrize(
    ("system", "formula"),
    [("Ba-Bi-O", "BaBiO3"), ("Cs-Au-Cl", "CsAuCl3"), ("Sb-O", "SbO2"), ("Ga-Cl", "GaCl2")],
)
def test_two_states_at_once_need_two_formula_units_only(system: str, formula: str) -> None:
    """BaBiO3 has Bi3+ and Bi5+, Sb2O4 has Sb3+ and Sb5+; the reduced formula has one atom."""
    assert of(system).index_of(Composition.from_formula(formula)) is not None


def test_a_formula_larger_than_the_cell_is_refused():
    field = {"system": "Cu-Au", "max_atoms": 8, "max_atoms_per_formula": 20}
    with pytest.raises(InputError, match=r"formula = 20 is more than .*max_atoms = 8"):
        MapSettings.from_dict({"field": field})


def test_a_window_may_leave_points_and_lines_alone():
    field = {"system": "Al-O", "windows": ["x(O) > 0.99"], "points": ["Al2O3"]}
    found = field_of(MapSettings.from_dict({"field": field}))
    assert [item.formula for item in found.inner] == ["Al2O3"]
    with pytest.raises(InputError, match="leaves no composition"):
        field_of(MapSettings.from_dict({"field": {**field, "points": []}}))


def test_a_field_without_small_neutral_formulas_names_their_size():
    with pytest.raises(InputError, match=r"or raise field\.max_atoms"):
        field_of(MapSettings.from_dict({"field": {"system": "Al-O", "max_atoms": 4}}))
