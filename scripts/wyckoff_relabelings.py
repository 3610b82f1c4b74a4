"""How a change of origin or axes renames the Wyckoff positions of each space group.

    python scripts/wyckoff_relabelings.py src/nucleate/library/data/wyckoff_relabelings.txt

For every space group: the permutations of its Wyckoff letters that the affine normaliser induces.
Candidate changes of axes have entries -1, 0 and 1 in the primitive basis, origins lie on a grid of
1/24, and the permutations found are closed under composition. That covers the axis choices of
triclinic and monoclinic cells, whose normalisers are infinite but permute finitely many letters.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np

from nucleate.generate.wyckoff import N_SPACE_GROUPS, operations, orbits, sites

GRID = 24
GENERIC = np.array([0.13719, 0.28347, 0.41731])
HEADER = """\
# Permutations of Wyckoff letters by the affine normalisers of the 230 space groups (standard
# setting), made by scripts/wyckoff_relabelings.py. A line: space group, multiplicities in the
# primitive cell, the letters in order, what they become under each change of origin or axes.
"""


def unimodular() -> np.ndarray:
    """Return all matrices with entries -1, 0, 1 and determinant 1 or -1, shape (m, 3, 3)."""
    matrices = np.array(list(product((-1, 0, 1), repeat=9)), dtype=float).reshape(-1, 3, 3)
    return matrices[np.abs(np.abs(np.linalg.det(matrices)) - 1.0) < 1e-6]


def normalising(rotations: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Return the matrices W for which W^-1 R W is in the group for every R."""
    known = {tuple(np.rint(r).astype(int).ravel()) for r in rotations}
    keep = np.ones(len(matrices), dtype=bool)
    inverse = np.linalg.inv(matrices)
    for rotation in rotations:
        turned = np.rint(inverse @ rotation @ matrices).astype(int).reshape(-1, 9)
        keep &= np.array([tuple(row) in known for row in turned.tolist()])
    return matrices[keep]


def origins(rotations: np.ndarray, shifts: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return the shifts s on the grid for which x -> x W + s normalises the group."""
    axes = np.arange(GRID) / GRID
    grid = np.stack(np.meshgrid(axes, axes, axes, indexing="ij"), -1).reshape(-1, 3)
    where = {tuple(np.rint(r).astype(int).ravel()): k for k, r in enumerate(rotations)}
    inverse = np.linalg.inv(matrix)
    for rotation, shift in zip(rotations, shifts, strict=True):
        turned = np.rint(inverse @ rotation @ matrix)
        target = shifts[where[tuple(turned.astype(int).ravel())]]
        gap = shift @ matrix + grid - grid @ turned - target
        grid = grid[np.all(np.abs(gap - np.rint(gap)) < 1e-6, axis=1)]
    return grid


def letter_of(number: int, point: np.ndarray, like: int) -> int:
    """Return which Wyckoff position of the kind of ``like`` a point lies on."""
    table = sites(number)
    cells = np.array(list(product(range(-3, 4), repeat=3)), dtype=float)
    for k, orbit in enumerate(orbits(number)):
        if (table[k].multiplicity, table[k].freedom) != (
            table[like].multiplicity,
            table[like].freedom,
        ):
            continue
        for rotation, shift in zip(orbit.rotations, orbit.translations, strict=True):
            directions = orbit.directions @ rotation
            off = point - shift - orbit.origin @ rotation
            off = off - np.rint(off) + cells
            if len(directions):
                off = off - off @ np.linalg.pinv(directions) @ directions
            if np.any(np.all(np.abs(off) < 1e-6, axis=1)):
                return k
    raise ValueError(f"space group {number}: no position for {point}")


def permutations(number: int, matrices: np.ndarray) -> list[tuple[int, ...]]:
    """Return all permutations of the positions of a space group, the identity first."""
    rotations, shifts = operations(number)
    firsts = [o.origin + GENERIC[: len(o.directions)] @ o.directions for o in orbits(number)]
    generators: set[tuple[int, ...]] = set()
    changes = [(np.eye(3), s) for s in origins(rotations, shifts, np.eye(3))]
    for matrix in normalising(rotations, matrices):
        found = origins(rotations, shifts, matrix)
        if len(found):
            changes.append((matrix, found[0]))
    # continuous and lattice shifts repeat: one of each that acts alike is enough
    for matrix, shift in changes:
        images = [point @ matrix + shift for point in firsts]
        generators.add(tuple(letter_of(number, image, k) for k, image in enumerate(images)))
    identity = tuple(range(len(firsts)))
    group, front = {identity}, [identity]
    while front:
        new = []
        for one in front:
            for other in generators:
                both = tuple(other[k] for k in one)
                if both not in group:
                    group.add(both)
                    new.append(both)
        front = new
    return sorted(group)


def main() -> None:
    """Write the table."""
    matrices = unimodular()
    elementary = matrices[np.abs(matrices).sum(axis=(1, 2)) <= 4]
    lines = [HEADER]
    for number in range(1, N_SPACE_GROUPS + 1):
        letters = "".join(site.letter for site in sites(number))
        found = permutations(number, elementary if number <= 2 else matrices)
        sizes = ",".join(str(site.multiplicity) for site in sites(number))
        words = ["".join(letters[k] for k in permutation) for permutation in found]
        lines.append(f"{number} {sizes} {' '.join(words)}\n")
        print(number, len(found), flush=True)
    Path(sys.argv[1]).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
