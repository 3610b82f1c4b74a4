"""Calibrate the duplicate threshold: ``fingerprint.py STRUCTURES [PAIRS]``.

Copies (supercell, other cell, moved atoms, strain) must be recognised; polymorphs that pymatgen's
StructureMatcher calls different (ltol 0.2, stol 0.3, volumes not scaled) must not be.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
from pymatgen.analysis.structure_matcher import StructureMatcher
from structure_table import StructureTable, read_structures

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE, fingerprint, fingerprint_distance

THRESHOLDS = (0.02, 0.03, DUPLICATE_DISTANCE, 0.05, 0.06)
# rms displacement of an atom in Å, isotropic strain, random shear
COPIES = {
    "supercell, other cell": (0.0, 0.0, 0.0),
    "atoms moved 0.02 Å": (0.02, 0.0, 0.0),
    "atoms moved 0.05 Å": (0.05, 0.0, 0.0),
    "moved 0.02 Å, strain 1 %": (0.02, 0.01, 0.0),
    "moved 0.05 Å, shear 0.5 %": (0.05, 0.0, 0.005),
    "moved 0.087 Å": (0.087, 0.0, 0.0),
}


def polymorphs(
    table: StructureTable, number: int, rng: np.random.Generator
) -> list[tuple[Crystal, Crystal]]:
    """Return pairs of structures of the same formula, a pair a formula."""
    usable = np.flatnonzero(table.usable & (table.volumes < 100.0))
    by_formula: dict[str, list[int]] = {}
    for index in usable:
        by_formula.setdefault(table.formulas[index], []).append(int(index))
    pairs = []
    for formula in rng.permutation([f for f, found in by_formula.items() if len(found) > 1]):
        first, second = (table.crystals[i] for i in rng.permutation(by_formula[formula])[:2])
        if first.n_atoms + second.n_atoms <= 70:
            pairs.append((first, second))
        if len(pairs) == number:
            break
    return pairs


def copy_of(
    crystal: Crystal, move: float, strain: float, shear: float, rng: np.random.Generator
) -> Crystal:
    """Return a doubled, re-celled, rotated, moved and strained copy."""
    repeats = rng.permutation([2, 1, 1])
    atoms = crystal.to_ase().repeat([int(n) for n in repeats])
    change = np.eye(3)
    row, other = rng.permutation(3)[:2]
    change[row, other] = rng.choice([-1, 1])
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    random = rng.normal(size=(3, 3)) * shear
    distortion = np.eye(3) * (1.0 + strain) + (random + random.T) / 2
    scaled = atoms.get_scaled_positions(wrap=False) @ np.linalg.inv(change)
    large = Crystal(atoms.numbers, change @ atoms.cell.array @ distortion @ rotation, scaled)
    moved = large.positions + rng.normal(size=(large.n_atoms, 3)) * move / np.sqrt(3.0)
    return Crystal.from_positions(large.numbers, large.cell, moved)


def main() -> None:
    """Print the rates at several thresholds."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    number = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    pairs = polymorphs(read_structures(Path(sys.argv[1])), number, rng)
    own = [fingerprint(first) for first, _ in pairs]
    print(f"{'':37s}" + "".join(f"{threshold:8.2f}" for threshold in THRESHOLDS))
    for name, options in COPIES.items():
        found = [
            fingerprint_distance(known, fingerprint(copy_of(first, *options, rng)))
            for known, (first, _) in zip(own, pairs, strict=True)
        ]
        missed = [100 * np.mean(np.array(found) >= threshold) for threshold in THRESHOLDS]
        print(f"missed % {name:28s}"[:37].ljust(37) + "".join(f"{rate:8.2f}" for rate in missed))
    matcher = StructureMatcher(ltol=0.2, stol=0.3, scale=False)
    same = np.array([bool(matcher.fit(a.to_pymatgen(), b.to_pymatgen())) for a, b in pairs])
    distance = np.array(
        [fingerprint_distance(k, fingerprint(b)) for k, (_, b) in zip(own, pairs, strict=True)]
    )
    for name, chosen in (("distinct", ~same), ("matched", same)):
        rates = [100 * np.mean(distance[chosen] < threshold) for threshold in THRESHOLDS]
        label = f"called duplicate % ({chosen.sum()} {name})"
        print(f"{label:37s}" + "".join(f"{rate:8.2f}" for rate in rates))


if __name__ == "__main__":
    main()
