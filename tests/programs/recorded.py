"""Recorded outputs of Quantum ESPRESSO, CP2K, LAMMPS and GULP, and the crystals they are of.

Those of the first three were recorded with the real programs (6.7, 2023.1, 22Jul2025), cut down to
the part that is read; those of GULP are written from the formats in its source.
"""

from __future__ import annotations

from pathlib import Path

from ase.build import bulk
from ase.spacegroup import crystal as spacegroup_crystal

from nucleate.crystal.crystal import Crystal

DATA = Path(__file__).parent / "data"
HARTREE, BOHR, RYDBERG = 27.211386, 0.5291772, 13.605693
BUCKINGHAM = (
    "pair_style buck/coul/long 8.0",
    "pair_coeff * * 0.0 1.0 0.0",
    "pair_coeff 1 2 1428.5 0.2945 0.0",
    "pair_coeff 2 2 22764.3 0.149 0.0",
    "kspace_style ewald 1e-7",
)


def rattled(atoms, width):
    atoms.rattle(width, seed=1)
    return Crystal.from_ase(atoms)


def li2o():
    atoms = spacegroup_crystal(
        ["O", "Li"],
        [(0, 0, 0), (0.25, 0.25, 0.25)],
        spacegroup=225,
        cellpar=[4.55, 4.55, 4.55, 90, 90, 90],
        primitive_cell=True,
    )
    return rattled(atoms, 0.05)


def licl():
    return rattled(bulk("LiCl", "rocksalt", a=5.2), 0.05)


def mgo():
    return rattled(bulk("MgO", "rocksalt", a=4.3) * (2, 1, 1), 0.1)


def mgo_pair():
    return Crystal.from_ase(bulk("MgO", "rocksalt", a=4.3))
