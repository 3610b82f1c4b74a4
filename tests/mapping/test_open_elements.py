"""Chemical potentials and hulls in contact with one element, against pymatgen and tables."""

from __future__ import annotations

import numpy as np
import pytest

from nucleate.mapping.hull import Hull
from nucleate.mapping.open_elements import open_hull, oxygen_potential, region_of

ELEMENTS = ("Sr", "Ti", "O")


def oxides(seed: int = 0) -> Hull:
    rng = np.random.default_rng(seed)
    counts = np.concatenate([np.eye(3, dtype=int), rng.integers(0, 4, (25, 3))])
    counts = counts[counts.sum(axis=1) > 0]
    shares = counts / counts.sum(axis=1, keepdims=True)
    energies = -6.0 * shares[:, 2] * (1 - shares[:, 2]) - 0.3 * shares[:, 0] * shares[:, 1]
    return Hull.build(
        np.eye(3, dtype=int), ELEMENTS, counts, energies + rng.normal(0.0, 0.1, len(counts)) - 4.0
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("potential", [0.0, -1.5, -4.0])
def test_the_open_hull_is_that_of_pymatgen(seed: int, potential: float) -> None:
    from pymatgen.analysis.phase_diagram import GrandPotentialPhaseDiagram, PDEntry
    from pymatgen.core import Composition, Element

    hull = oxides(seed)
    entries = [
        PDEntry(Composition(dict(zip(ELEMENTS, row, strict=True))), energy * sum(row), str(k))
        for k, (row, energy) in enumerate(zip(hull.counts, hull.energies, strict=True))
    ]
    diagram = GrandPotentialPhaseDiagram(
        entries, {Element("O"): float(hull.reference[2] + potential)}
    )
    mine = open_hull(hull, "O", potential)
    theirs = {
        entry.original_entry.name: diagram.get_e_above_hull(entry) for entry in diagram.all_entries
    }
    assert len(theirs) == len(mine.names)
    for name, above in zip(mine.names, mine.above_hull, strict=True):
        assert above == pytest.approx(theirs[name], abs=1e-9)


def test_inside_its_region_a_phase_is_the_most_stable_one() -> None:
    hull = oxides()
    stable = [k for k in hull.vertices if (hull.counts[k] > 0).all()]
    assert stable
    for place in stable:
        region = region_of(hull, place)
        assert len(region) >= 3
        inside = region.mean(axis=0)
        gap = hull.formation - hull.shares @ inside
        assert gap.min() == pytest.approx(gap[place], abs=1e-9)
        assert (inside <= 1e-12).all()
    unstable = int(np.argmax(hull.above_hull))
    assert len(region_of(hull, unstable)) == 0


def test_the_potential_of_oxygen_is_that_of_the_tables() -> None:
    """At 1 atm, Reuter and Scheffler, Phys. Rev. B 65, 035406 (2001), table I."""
    table = {200: -0.17, 300: -0.27, 400: -0.38, 500: -0.50, 600: -0.61, 800: -0.85, 1000: -1.10}
    for temperature, value in table.items():
        assert oxygen_potential(temperature, 1.01325) == pytest.approx(value, abs=0.006)
    assert oxygen_potential(699.99) == pytest.approx(oxygen_potential(700.01), abs=1e-3)
    step = oxygen_potential(1000.0, 10.0) - oxygen_potential(1000.0)
    assert step == pytest.approx(0.5 * 8.617e-5 * 1000 * np.log(10.0), rel=1e-4)


@pytest.mark.parametrize(("temperature", "pressure"), [(50.0, 1.0), (3000.0, 1.0), (300.0, 0.0)])
def test_what_has_no_potential(temperature: float, pressure: float) -> None:
    with pytest.raises(ValueError, match="100 to 2000 K"):
        oxygen_potential(temperature, pressure)


def test_what_cannot_be_opened() -> None:
    with pytest.raises(ValueError, match="not an element"):
        open_hull(oxides(), "N", 0.0)
    ends = Hull.build([[1, 0, 1], [0, 1, 2]], ["SrO", "TiO2"], [[1, 0, 1], [0, 1, 2]], [0, 0])
    with pytest.raises(ValueError, match="corners are elements"):
        open_hull(ends, "O", 0.0)
    empty = Hull.build(np.eye(2, dtype=int), ["Sr", "O"], [[1, 0]], [0.0])
    with pytest.raises(ValueError, match="without O"):
        open_hull(empty, "O", 0.0)
