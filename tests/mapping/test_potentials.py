"""Stability windows and open elements against pymatgen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nucleate.errors import InputError
from nucleate.mapping.hull import Hull
from nucleate.mapping.potentials import open_hull, stability_windows

pymatgen = pytest.importorskip("pymatgen.analysis.phase_diagram")
ELEMENTS = ("Sr", "Ti", "O")


def phases(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    counts = np.vstack([np.eye(3, dtype=int), rng.integers(0, 5, (12, 3))])
    counts = counts[counts.sum(axis=1) > 0]
    energies = -5.0 - rng.random(len(counts)) * (1.0 + 3.0 * (np.count_nonzero(counts, axis=1) > 1))
    return counts, energies


def entries(counts: np.ndarray, energies: np.ndarray) -> list:
    from pymatgen.analysis.phase_diagram import PDEntry

    return [
        PDEntry(
            {symbol: int(n) for symbol, n in zip(ELEMENTS, row, strict=True) if n},
            energy * row.sum(),
            name=str(place),
        )
        for place, (row, energy) in enumerate(zip(counts, energies, strict=True))
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(-4.0, 0.0))
def test_a_hull_with_an_open_element_is_that_of_pymatgen(seed, mu):
    from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram
    from pymatgen.core import Element

    counts, energies = phases(seed)
    ours = open_hull(Hull.build(np.eye(3), ELEMENTS, counts, energies), ELEMENTS, "O", mu)
    oxygen = min(e for row, e in zip(counts, energies, strict=True) if row[:2].sum() == 0)
    theirs = GrandPotentialPhaseDiagram(entries(counts, energies), {Element("O"): oxygen + mu})
    heights = {e.original_entry.name: theirs.get_e_above_hull(e) for e in theirs.all_entries}
    for name, height in zip(ours.names, ours.above_hull, strict=True):
        assert height == pytest.approx(heights[name], abs=1e-8)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_windows_are_those_of_pymatgen(seed):
    from pymatgen.analysis.chempot_diagram import ChemicalPotentialDiagram

    counts, energies = phases(seed)
    hull = Hull.build(np.eye(3), ELEMENTS, counts, energies)
    diagram = ChemicalPotentialDiagram(entries(counts, energies), formal_chempots=True)
    order = [ELEMENTS.index(element.symbol) for element in diagram.elements]
    windows = dict(zip(hull.vertices, stability_windows(hull), strict=True))
    compared = 0
    for place, window in windows.items():
        if np.count_nonzero(counts[place]) < 3:
            continue
        formula = pymatgen.Composition(dict(zip(ELEMENTS, counts[place].tolist(), strict=True)))
        domain = diagram.domains[formula.reduced_formula]
        assert np.min(domain, axis=0) == pytest.approx([window.low[k] for k in order], abs=1e-6)
        assert np.max(domain, axis=0) == pytest.approx([window.high[k] for k in order], abs=1e-6)
        compared += 1
    assume(compared > 0)


def test_no_phase_is_below_the_hull_inside_its_window():
    counts, energies = phases(3)
    hull = Hull.build(np.eye(3), ELEMENTS, counts, energies)
    for window, place in zip(stability_windows(hull), hull.vertices, strict=True):
        for mu in hull.potentials:
            inside = np.abs(hull.shares[place] @ mu - hull.formation[place]) < 1e-9
            if inside:
                assert all(low - 1e-9 <= m for low, m in zip(window.low, mu, strict=True))
                assert (hull.formation - hull.shares @ mu >= -1e-9).all()


def test_an_open_element_must_be_one_of_the_field():
    counts, energies = phases(1)
    hull = Hull.build(np.eye(3), ELEMENTS, counts, energies)
    with pytest.raises(InputError, match="must be one of at least three elements"):
        open_hull(hull, ELEMENTS, "N", -1.0)
    some = counts[:, :2].sum(axis=1) > 0
    without = Hull.build(np.eye(3), ELEMENTS, counts[some], energies[some])
    with pytest.raises(InputError, match="no energy in this map"):
        open_hull(without, ELEMENTS, "O", 0.0)
