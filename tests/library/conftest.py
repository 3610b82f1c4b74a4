"""A small library of textbook structures, built once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from ase.spacegroup import crystal as from_space_group

from nucleate.crystal.crystal import Crystal
from nucleate.library.build import write_library
from nucleate.library.entries import Known
from nucleate.library.library import Library


def rocksalt(formula: str, a: float) -> Crystal:
    return Crystal.from_ase(bulk(formula, "rocksalt", a=a))


def caesium_chloride(formula: str, a: float) -> Crystal:
    return Crystal.from_ase(bulk(formula, "cesiumchloride", a=a))


def perovskite(a_site: str, b_site: str, anion: str, a: float) -> Crystal:
    return Crystal.from_ase(
        from_space_group(
            [a_site, b_site, anion],
            [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0)],
            spacegroup=221,
            cellpar=[a, a, a, 90, 90, 90],
        )
    )


def rutile(metal: str, anion: str, a: float, c: float, u: float = 0.305) -> Crystal:
    return Crystal.from_ase(
        from_space_group(
            [metal, anion],
            [(0, 0, 0), (u, u, 0)],
            spacegroup=136,
            cellpar=[a, a, c, 90, 90, 90],
        )
    )


def quartz(metal: str = "Si", anion: str = "O", a: float = 4.91, c: float = 5.40) -> Crystal:
    return Crystal.from_ase(
        from_space_group(
            [metal, anion],
            [(0.47, 0, 1 / 3), (0.4135, 0.2669, 0.4524)],
            spacegroup=152,
            cellpar=[a, a, c, 90, 90, 120],
        )
    )


def trirutile() -> Crystal:
    return Crystal.from_ase(
        from_space_group(
            ["Zn", "Sb", "O", "O"],
            [(0, 0, 0), (0, 0, 1 / 3), (0.305, 0.305, 0), (0.297, 0.297, 0.33)],
            spacegroup=136,
            cellpar=[4.66, 4.66, 9.24, 90, 90, 90],
        )
    )


KNOWN = [
    Known("t-1", rocksalt("NaCl", 5.64), 0.0, True),
    Known("t-2", rocksalt("KCl", 6.29), 0.0, True),
    Known("t-3", rocksalt("MgO", 4.21), 0.0, True),
    Known("t-4", caesium_chloride("CsCl", 4.12), 0.0, True),
    Known("t-5", caesium_chloride("KCl", 3.75), 0.08, False),
    Known("t-6", perovskite("Sr", "Ti", "O", 3.905), 0.0, True),
    Known("t-7", perovskite("Ba", "Ti", "O", 4.0), 0.01),
    Known("t-8", perovskite("K", "Mg", "F", 3.99)),
    Known("t-9", rutile("Ti", "O", 4.59, 2.96), 0.0, True),
    Known("t-10", rutile("Sn", "O", 4.74, 3.19), 0.0, True),
    Known("t-11", rutile("Mg", "F", 4.62, 3.05), 0.0, True),
    Known("t-12", trirutile(), 0.0, True),
    Known("t-13", Crystal.from_ase(bulk("Si", "diamond", a=5.43)), 0.0, True),
]


@pytest.fixture(scope="session")
def library_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("library") / "small.nlib"
    write_library(iter(KNOWN), path, {"source": "textbooks", "licence": "none", "citation": "-"})
    return path


@pytest.fixture
def small(library_path: Path) -> Library:
    return Library.load([library_path])


def moved(crystal: Crystal, rng: np.random.Generator, repeats: tuple[int, int, int]) -> Crystal:
    """The same crystal: another origin, order of atoms, orientation and supercell."""
    atoms = crystal.to_ase().repeat(repeats)
    atoms.set_scaled_positions(atoms.get_scaled_positions() + rng.random(3))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    atoms.set_cell(atoms.cell.array @ rotation, scale_atoms=True)
    return Crystal.from_ase(atoms[rng.permutation(len(atoms))])
