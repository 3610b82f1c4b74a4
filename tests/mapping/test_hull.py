"""The convex hull against pymatgen's phase diagram, and what it says in words."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.mapping.decomposition import units_of
from nucleate.mapping.facets import lowest_mixtures
from nucleate.mapping.hull import Hull

SYMBOLS = ("Y", "Sr", "Ti", "O")


@st.composite
def phases(draw: st.DrawFn) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of elements, counts with every element alone, energies per atom."""
    n = draw(st.integers(2, 4))
    rows = draw(
        st.lists(
            st.lists(st.integers(0, 4), min_size=n, max_size=n).filter(any), min_size=1, max_size=25
        )
    )
    counts = np.array([*np.eye(n, dtype=int).tolist(), *rows])
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    mixing = np.prod(counts / counts.sum(axis=1, keepdims=True) + 0.2, axis=1)
    scale = draw(st.sampled_from([0.0, 0.01, 1.0]))
    energies = rng.normal(-3.0, 1.0, n) @ counts.T / counts.sum(axis=1)
    return n, counts, energies - 2.0 * mixing + scale * rng.normal(0.0, 0.1, len(counts))


@settings(max_examples=60, deadline=None)
@given(phases())
def test_is_that_of_pymatgen(case: tuple[int, np.ndarray, np.ndarray]) -> None:
    from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
    from pymatgen.core import Composition

    n, counts, energies = case
    entries = [
        PDEntry(Composition(dict(zip(SYMBOLS, row, strict=False))), energy * sum(row))
        for row, energy in zip(counts.tolist(), energies, strict=True)
    ]
    diagram = PhaseDiagram(entries)
    hull = Hull.build(np.eye(n, dtype=int), SYMBOLS[:n], counts, energies)
    theirs = [diagram.get_e_above_hull(entry, allow_negative=True) for entry in entries]
    np.testing.assert_allclose(hull.above_hull, theirs, atol=1e-9)
    formation = [diagram.get_form_energy_per_atom(entry) for entry in entries]
    np.testing.assert_allclose(hull.formation, formation, atol=1e-9)
    stable = {entry.composition.reduced_formula for entry in diagram.stable_entries}
    mine = {entries[k].composition.reduced_formula for k in hull.vertices}
    assert stable <= mine


@settings(max_examples=30, deadline=None)
@given(phases(), st.integers(0, 2**32 - 1))
def test_is_the_lowest_mixture_everywhere(
    case: tuple[int, np.ndarray, np.ndarray], seed: int
) -> None:
    n, counts, energies = case
    hull = Hull.build(np.eye(n, dtype=int), SYMBOLS[:n], counts, energies)
    spots = np.random.default_rng(seed).dirichlet(np.ones(n), 4)
    by_programs = lowest_mixtures(spots, hull.shares, hull.formation)
    np.testing.assert_allclose(hull.at_shares(spots), by_programs, atol=1e-9)
    for spot, energy in zip(spots, by_programs, strict=True):
        found = hull.decompose(spot)
        assert found.energy == pytest.approx(energy, abs=1e-9)
        mixed = np.array(found.amounts) @ hull.shares[list(found.phases)]
        np.testing.assert_allclose(mixed, spot, atol=1e-8)


def oxides() -> Hull:
    members = [[1, 0, 1], [0, 1, 2]]
    counts = [[1, 0, 1], [0, 1, 2], [1, 1, 3], [2, 1, 4], [2, 2, 6], [3, 2, 7]]
    energies = [-3.0, -4.0, -4.0, -3.6, -3.9, -3.72]
    names = ["SrO", "TiO2", "SrTiO3", "Sr2TiO4", "SrTiO3 (2)", "Sr3Ti2O7"]
    return Hull.build(members, ["SrO", "TiO2"], counts, energies, names)


def test_of_end_members_by_hand() -> None:
    hull = oxides()
    assert hull.shares[2].tolist() == pytest.approx([0.4, 0.6])
    assert hull.formation[2] == pytest.approx(-4.0 + 0.4 * 3.0 + 0.6 * 4.0)
    assert [hull.names[k] for k in hull.vertices] == ["SrO", "TiO2", "SrTiO3"]
    assert hull.above_hull[4] == pytest.approx(0.1)


def test_reactions_are_balanced() -> None:
    hull = oxides()
    found = hull.decompose([3, 2, 7])
    assert found.names == ("SrO", "SrTiO3")
    assert found.reaction([3, 2, 7], ["Sr", "Ti", "O"]) == "Sr3Ti2O7 → SrO + 2 SrTiO3"
    assert hull.decompose([2, 1, 4]).reaction([2, 1, 4], ["Sr", "Ti", "O"]) == (
        "Sr2TiO4 → SrO + SrTiO3"
    )


def test_the_competitors_of_a_stable_phase_leave_out_its_own_composition() -> None:
    found = oxides().competitors(2)
    assert found.names == ("TiO2", "Sr3Ti2O7")
    assert found.reaction([1, 1, 3], ["Sr", "Ti", "O"]) == "3 SrTiO3 → TiO2 + Sr3Ti2O7"
    with pytest.raises(ValueError, match="corner"):
        oxides().competitors(0)


def test_without_a_corner_there_is_no_energy() -> None:
    hull = Hull.build(np.eye(3, dtype=int), "ABC", [[1, 0, 0], [1, 1, 0]], [-1.0, -2.0])
    assert hull.missing == ("B", "C")
    assert np.isnan(hull.above([[1, 1, 1]], [-3.0])).all()
    assert np.isnan(hull.formation[1])
    assert hull.formation[0] == 0.0
    assert hull.vertices == ()
    with pytest.raises(ValueError, match="B, C"):
        hull.decompose([1, 1, 1])


@pytest.mark.parametrize("n", [1, 5, 6])
def test_other_numbers_of_components(n: int) -> None:
    rng = np.random.default_rng(n)
    counts = np.concatenate([np.eye(n, dtype=int), rng.integers(0, 4, (30, n))])
    counts = counts[counts.sum(axis=1) > 0]
    energies = rng.normal(-1.0, 0.3, len(counts))
    hull = Hull.build(np.eye(n, dtype=int), "ABCDEF"[:n], counts, energies)
    by_programs = lowest_mixtures(hull.shares, hull.shares, hull.formation)
    np.testing.assert_allclose(hull.above_hull, hull.formation - by_programs, atol=1e-9)


def test_energies_below_the_hull_are_negative_and_nothing_outside_is_accepted() -> None:
    hull = oxides()
    assert hull.above([[1, 1, 3]], [-4.2])[0] == pytest.approx(-0.2)
    with pytest.raises(ValueError, match="no mixture"):
        hull.above([[1, 0, 0]], [0.0])
    with pytest.raises(ValueError, match="not finite"):
        Hull.build([[1]], "A", [[1]], [np.nan])


def test_where_qhull_fails_linear_programs_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = oxides()
    monkeypatch.setattr("nucleate.mapping.facets._by_qhull", lambda *_: None)
    hull = oxides()
    np.testing.assert_allclose(hull.above_hull, wanted.above_hull, atol=1e-9)
    assert hull.vertices == wanted.vertices
    assert hull.potentials.shape == (1, 2)
    assert (hull.shares @ hull.potentials.T <= hull.formation[:, None] + 1e-12).all()


@pytest.mark.parametrize("noise", [1e-13, 1e-11, 1e-9])
def test_nearly_flat_phases(noise: float) -> None:
    rng = np.random.default_rng(0)
    counts = np.concatenate(
        [np.eye(4, dtype=int), rng.integers(0, 6, (60, 4)) + np.eye(4, dtype=int)[0]]
    )
    shares = counts / counts.sum(axis=1, keepdims=True)
    flat = -shares.min(axis=1)
    hull = Hull.build(np.eye(4, dtype=int), "ABCD", counts, flat + noise * rng.normal(size=64))
    wanted = -np.minimum.reduce(shares, axis=1)
    centre = np.array([[1, 1, 1, 1]])
    assert hull.energy_at(centre)[0] >= -0.25 - 10 * noise
    assert (hull.energy_at(counts) <= wanted + 10 * noise + 1e-12).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 7))
def test_large_formulas_have_exact_amounts(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    phases = rng.integers(0, 60, (n, n)) + 61 * np.eye(n, dtype=np.int64)
    amounts = rng.integers(1, 900, n)
    found = units_of((amounts @ phases).tolist(), phases.tolist())
    assert found == amounts.tolist()
    halves = units_of((amounts @ phases).tolist(), (2 * phases).tolist())
    assert halves == [Fraction(int(k), 2) for k in amounts]
    with pytest.raises(ValueError, match="depend on each other"):
        units_of((amounts @ phases).tolist(), [*phases[:-1].tolist(), phases[0].tolist()])
