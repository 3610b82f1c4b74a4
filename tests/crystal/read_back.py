"""Crystals written in sixteen ways by four packages, for reading back.

As a script: ``python -m tests.crystal.read_back 2000 0 mp_structures.parquet`` prints the counts of
structures of the Materials Project that come back as they were, by dialect.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections import Counter
from typing import TYPE_CHECKING

import ase.io
import gemmi
import numpy as np
import spglib
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import symbols_of
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.formats.cif_reader import read_cif_text
from nucleate.crystal.formats.extxyz import read_extxyz_text
from nucleate.crystal.formats.poscar import read_poscar_text
from nucleate.crystal.formats.structures import ReadStructure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

READERS = {"cif": read_cif_text, "vasp": read_poscar_text, "extxyz": read_extxyz_text}
SYMPREC = 0.01
MOST_ATOMS = 24
SITE_TAGS = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")


def dialects(crystal: Crystal) -> Iterator[tuple[str, str, str]]:
    """Yield name, format and text of a crystal as pymatgen, ASE, gemmi and spglib give it."""
    yield from _of_pymatgen(crystal)
    yield from _of_ase(crystal)
    cell = (crystal.cell, crystal.scaled, crystal.numbers)
    found = spglib.get_symmetry_dataset(cell, symprec=SYMPREC)
    if found is not None:
        yield from _of_gemmi(found)
        yield from _of_spglib(crystal, cell, found)


def _of_pymatgen(crystal: Crystal) -> Iterator[tuple[str, str, str]]:
    structure = crystal.to_pymatgen()
    yield "pymatgen P1", "cif", str(CifWriter(structure))
    text = str(CifWriter(structure, symprec=SYMPREC))
    yield "pymatgen symmetry", "cif", text
    lines = text.splitlines()
    first = next(k for k, line in enumerate(lines) if "_symmetry_equiv_pos_site_id" in line)
    end = next(k for k, line in enumerate(lines) if k > first and line.startswith("loop_"))
    yield "pymatgen name", "cif", "\n".join(lines[: first - 1] + lines[end:])
    yield "pymatgen POSCAR", "vasp", Poscar(structure).get_str(significant_figures=12)


def _of_ase(crystal: Crystal) -> Iterator[tuple[str, str, str]]:
    atoms = crystal.to_ase()
    atoms = atoms[np.argsort(atoms.numbers, kind="stable")]
    binary = io.BytesIO()
    ase.io.write(binary, atoms, format="cif")
    yield "ASE CIF", "cif", binary.getvalue().decode()
    for name, form, options in (
        ("ASE POSCAR", "vasp", {"direct": True}),
        ("ASE POSCAR of VASP 4", "vasp", {"vasp5": False}),
        ("ASE extxyz", "extxyz", {}),
    ):
        stream = io.StringIO()
        ase.io.write(stream, atoms, format=form, **options)
        yield name, form, stream.getvalue()


def _of_gemmi(found) -> Iterator[tuple[str, str, str]]:
    group = _group(found.hall_number)
    if group is None:
        return
    standard = Crystal(found.std_types, found.std_lattice, found.std_positions)
    again = spglib.get_symmetry_dataset(
        (standard.cell, standard.scaled, standard.numbers),
        hall_number=found.hall_number,
        symprec=SYMPREC,
    )
    keep = np.arange(standard.n_atoms) if again is None else np.unique(again.equivalent_atoms)
    yield "gemmi block", "cif", _gemmi_block(standard, keep, group)
    head, sites = _cell(standard.cell), _sites(standard.numbers[keep], standard.scaled[keep])
    name = f"_space_group_name_H-M_alt '{group.xhm()}'\n"
    yield "gemmi Hall symbol", "cif", head + f"_space_group_name_Hall '{group.hall}'\n" + sites
    yield "gemmi name", "cif", head + name + sites
    yield "gemmi name, all atoms", "cif", head + name + _sites(standard.numbers, standard.scaled)


def _group(hall_number: int) -> gemmi.SpaceGroup | None:
    found = spglib.get_symmetry_from_database(hall_number)
    operations = []
    for rotation, shift in zip(found["rotations"], found["translations"], strict=True):
        operation = gemmi.Op()
        operation.rot = (rotation * 24).tolist()
        operation.tran = (np.rint(shift * 24).astype(int) % 24).tolist()
        operations.append(operation)
    return gemmi.find_spacegroup_by_ops(gemmi.GroupOps(operations))


def _gemmi_block(crystal: Crystal, keep, group: gemmi.SpaceGroup) -> str:
    structure = gemmi.SmallStructure()
    structure.name = "x"
    structure.cell = gemmi.UnitCell(*crystal.lengths, *crystal.angles)
    structure.spacegroup_hm = group.xhm()
    structure.spacegroup = group
    for k, symbol in zip(keep, symbols_of(crystal.numbers[keep]), strict=True):
        site = gemmi.SmallStructure.Site()
        site.label, site.type_symbol, site.occ = f"{symbol}{k}", symbol, 1
        site.element = gemmi.Element(int(crystal.numbers[k]))
        site.fract = gemmi.Fractional(*crystal.scaled[k])
        structure.add_site(site)
    return structure.make_cif_block().as_string()


def _of_spglib(crystal: Crystal, cell, found) -> Iterator[tuple[str, str, str]]:
    for name, make in (("standard", spglib.refine_cell), ("primitive", spglib.find_primitive)):
        lattice, scaled, numbers = make(cell, symprec=SYMPREC)
        yield f"spglib {name} cell", "cif", _cell(lattice) + _sites(numbers, scaled)
    keep = np.unique(found.equivalent_atoms)
    head = _cell(crystal.cell) + _operations(found.rotations, found.translations)
    yield "spglib operations", "cif", head + _sites(crystal.numbers[keep], crystal.scaled[keep])
    yield "spglib operations, all atoms", "cif", head + _sites(crystal.numbers, crystal.scaled)


def _cell(lattice) -> str:
    cube = Crystal(np.array([1]), lattice, np.zeros((1, 3)))
    lengths = "".join(
        f"_cell_length_{k} {value:.12f}\n" for k, value in zip("abc", cube.lengths, strict=True)
    )
    names = ("alpha", "beta", "gamma")
    return (
        "data_x\n"
        + lengths
        + "".join(
            f"_cell_angle_{k} {value:.12f}\n" for k, value in zip(names, cube.angles, strict=True)
        )
    )


def _sites(numbers, scaled) -> str:
    rows = zip(symbols_of(numbers), scaled, strict=True)
    return (
        "loop_\n"
        + "".join(f"_atom_site_{tag}\n" for tag in SITE_TAGS)
        + "".join(
            f"{symbol}{k} {symbol} {x:.12f} {y:.12f} {z:.12f}\n"
            for k, (symbol, (x, y, z)) in enumerate(rows)
        )
    )


def _operations(rotations, translations) -> str:
    rows = []
    for rotation, shift in zip(rotations, translations, strict=True):
        parts = []
        for row, s in zip(rotation, shift % 1.0, strict=True):
            words = (f"{int(f):+d}*{axis}" for f, axis in zip(row, "xyz", strict=True) if f)
            parts.append("".join(words) + (f"+{s:.10f}" if min(s, 1 - s) > 1e-7 else ""))
        rows.append("'" + ",".join(parts) + "'\n")
    return "loop_\n_space_group_symop_operation_xyz\n" + "".join(rows)


def verdict(crystal: Crystal, kind: str, text: str) -> str:
    """Return what became of a written crystal: same, or why not."""
    items = READERS[kind](text)
    if len(items) != 1:
        return f"{len(items)} structures"
    if not isinstance(items[0], ReadStructure):
        return f"refused: {items[0].error}"
    found = items[0].crystal
    counts = [np.bincount(one.numbers, minlength=120) for one in (crystal, found)]
    if not np.array_equal(counts[0] * found.n_atoms, counts[1] * crystal.n_atoms):
        return f"another composition, {found.formula}"
    if abs(found.volume_per_atom / crystal.volume_per_atom - 1.0) > 0.01:
        return "another density"
    distance = fingerprint_distance(fingerprint(found), fingerprint(crystal))
    return "same" if distance < 0.01 else f"another crystal, distance {distance:.3f}"


def crystals(path: Path, number: int, seed: int) -> Iterator[tuple[str, Crystal]]:
    """Yield identifiers and small crystals of a table, drawn at random."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    found = 0
    for place in np.random.default_rng(seed).permutation(len(table)):
        row = table.slice(int(place), 1).to_pylist()[0]
        if row["natoms"] > MOST_ATOMS:
            continue
        cell = np.array(row["lattice"]).reshape(3, 3)
        scaled = np.array(row["frac_coords"]).reshape(-1, 3)
        hand = 1.0 if np.linalg.det(cell) > 0.0 else -1.0
        yield row["material_id"], Crystal(np.array(row["species"]), hand * cell, hand * scaled)
        found += 1
        if found == number:
            return


AMBIGUOUS = ("has two origins, and the file does not say which", "it contradicts itself")
"""Why a name without operations may be refused; pymatgen rounds sites next to a mirror plane onto
it, and states the multiplicity that they had."""


def drill(path: Path, number: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Return how many came back as they were, or ambiguous, by dialect; every other verdict."""
    counts: Counter[str] = Counter()
    wrong = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, crystal in crystals(path, number, seed):
            for dialect, kind, text in dialects(crystal):
                found = verdict(crystal, kind, text)
                ambiguous = dialect == "pymatgen name" and any(
                    words in found for words in AMBIGUOUS
                )
                counts[dialect + " (refused)" * ambiguous] += found == "same" or ambiguous
                if found != "same" and not ambiguous:
                    wrong.append(f"{name} {dialect}: {found}")
    return counts, wrong


if __name__ == "__main__":
    good, bad = drill(sys.argv[3], int(sys.argv[1]), int(sys.argv[2]))
    print(dict(good), len(bad), *bad, sep="\n")
