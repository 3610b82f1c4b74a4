"""Listed structures as data that the page draws: atoms, bonds, polyhedra, sites, pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.coordination import coordination
from nucleate.crystal.elements import symbols_of
from nucleate.crystal.symmetry import in_cell
from nucleate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.coordination import Site
    from nucleate.crystal.crystal import Crystal

LARGEST_DRAWN = 400
"""Atoms of a cell that is drawn."""

POLYHEDRA = range(4, 9)
"""Coordination numbers that are drawn as polyhedra."""

MOST_BONDS = 8
"""Atoms with more neighbours have no sticks, which would hide everything else."""

LEAST_DIFFERENCE = 0.4
"""Of electronegativities (Pauling) of centre and corners of a polyhedron."""


def drawn(crystal: Crystal) -> dict[str, Any] | None:
    """Return a crystal for the viewer; None if it is too large.

    Coordinates in Å: ``cell`` (nine numbers), ``atoms`` (symbol, x, y, z of the wrapped atoms),
    ``bonds`` (atom, dx, dy, dz) and ``polyhedra`` (atom, vertices relative to it, triangles).
    """
    if crystal.n_atoms > LARGEST_DRAWN:
        return None
    wrapped = crystal.wrapped()
    sites = coordination(wrapped)
    symbols = symbols_of(wrapped.numbers)
    places = np.round(wrapped.scaled @ wrapped.cell, 3).tolist()
    return {
        "cell": np.round(wrapped.cell, 4).ravel().tolist(),
        "atoms": [[symbol, *place] for symbol, place in zip(symbols, places, strict=True)],
        "bonds": [
            [atom, *np.round(vector, 3).tolist()]
            for atom, site in enumerate(sites)
            if site.number <= MOST_BONDS and _is_centre(atom, wrapped, site)
            for vector in site.vectors
        ],
        "polyhedra": [
            item
            for atom, site in enumerate(sites)
            if (item := _polyhedron(atom, wrapped, site)) is not None
        ],
    }


def cells(crystal: Crystal) -> dict[str, Any]:
    """Return the symmetrised conventional cell and the cell as it is, for the viewer."""
    found = {"conventional": drawn(in_cell(crystal, "conventional")), "given": drawn(crystal)}
    return {name: value for name, value in found.items() if value is not None}


def site_table(crystal: Crystal) -> list[dict[str, Any]]:
    """Return the distinct sites of the conventional cell: element, place, neighbours, distances."""
    whole = in_cell(crystal, "conventional").wrapped()
    symbols = symbols_of(whole.numbers)
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for atom, site in enumerate(coordination(whole)):
        around = [symbols[other] for other in site.neighbours.tolist()]
        distances = np.sort(site.distances)
        key = (symbols[atom], *sorted(around), *np.round(distances, 2).tolist())
        if key in rows:
            rows[key]["count"] += 1
            continue
        counts = {symbol: around.count(symbol) for symbol in dict.fromkeys(sorted(around))}
        rows[key] = {
            "element": symbols[atom],
            "count": 1,
            "place": " ".join(f"{value:.4f}" for value in whole.scaled[atom]),
            "number": site.number,
            "neighbours": " ".join(f"{n} {symbol}" for symbol, n in counts.items()),
            "distances": _grouped(distances),
        }
    return list(rows.values())


def lattice_text(crystal: Crystal) -> dict[str, str]:
    """Return lengths and angles of the conventional cell for people."""
    whole = in_cell(crystal, "conventional")
    lengths, angles = whole.lengths, whole.angles
    return {
        "lengths": " ".join(f"{value:.4f}" for value in lengths),
        "angles": " ".join(f"{value:.2f}" for value in angles),
        "volume": f"{whole.volume:.2f}",
        "formula": whole.formula,
    }


def pattern_points(crystal: Crystal) -> list[list[float]]:
    """Return the lines of the Cu Kα powder pattern, 2θ in degrees and intensity up to 100."""
    from nucleate.powder import lines_of, radiation
    from nucleate.powder.peaks import lorentz_polarisation

    wavelength = radiation("CuKa").wavelength
    try:
        lines = lines_of(crystal, wavelength / (2 * np.sin(np.radians(45.0))), 40.0)
    except InputError:
        return []
    if not len(lines.spacing):
        return []
    theta = np.arcsin(np.clip(wavelength / (2 * lines.spacing), 0.0, 1.0))
    height = lines.intensity * lorentz_polarisation(theta)
    height *= 100.0 / height.max()
    seen = height > 0.2
    table = np.column_stack([np.degrees(2 * theta[seen]), height[seen]])
    return np.round(table, 2).tolist()


def _grouped(distances: NDArray[np.float64]) -> str:
    """Return distances in Å, equal ones once with how many there are."""
    texts = [f"{value:.3f}" for value in distances]
    parts = [(text, texts.count(text)) for text in dict.fromkeys(texts)]
    return ", ".join(f"{text}" if n == 1 else f"{text} ×{n}" for text, n in parts)


def _polyhedron(atom: int, crystal: Crystal, site: Site) -> list[Any] | None:
    """Return atom, vertices and triangles; None where none is to be drawn."""
    from scipy.spatial import ConvexHull, QhullError

    around = set(crystal.numbers[site.neighbours].tolist())
    is_same = crystal.numbers[atom] in around
    if site.number not in POLYHEDRA or is_same or not _is_centre(atom, crystal, site):
        return None
    try:
        hull = ConvexHull(site.vectors)
    except QhullError:  # flat, as the square around Pd
        return None
    return [
        atom,
        np.round(site.vectors, 3).ravel().tolist(),
        _outward(site.vectors, np.asarray(hull.simplices)).ravel().tolist(),
    ]


def _outward(vertices: NDArray[np.float64], triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return triangles whose corners run anticlockwise seen from outside."""
    first, second, third = (vertices[triangles[:, k]] for k in range(3))
    inside = vertices.mean(axis=0)
    normals = np.cross(second - first, third - first)
    turned = np.einsum("ij,ij->i", normals, first - inside) < 0.0
    result = triangles.copy()
    result[turned] = triangles[turned][:, [0, 2, 1]]
    return result


def _is_centre(atom: int, crystal: Crystal, site: Site) -> bool:
    """Return whether an atom is clearly more electropositive than its neighbours, or like them."""
    from nucleate.crystal.elements import element

    own = element(int(crystal.numbers[atom])).electronegativity or 2.0
    around = set(crystal.numbers[site.neighbours].tolist())
    apart = [(element(other).electronegativity or 2.0) - own for other in around]
    return all(gap > LEAST_DIFFERENCE for gap in apart) or all(
        abs(gap) <= LEAST_DIFFERENCE for gap in apart
    )
