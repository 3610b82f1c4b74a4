"""Parts of CIF files and what reading them gives."""

from __future__ import annotations

from ase.build import bulk

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.files import ReadStructure, Unreadable
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.crystal.formats.cif_reader import read_cif_text

SALT = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
CELL = """data_test
_cell_length_a {a}
_cell_length_b {b}
_cell_length_c {c}
_cell_angle_alpha {alpha}
_cell_angle_beta {beta}
_cell_angle_gamma {gamma}
"""
TYPED = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
LABELLED = ("label", "fract_x", "fract_y", "fract_z")


def cell(a=4.2, b=None, c=None, alpha=90, beta=90, gamma=90) -> str:
    return CELL.format(a=a, b=b or a, c=c or a, alpha=alpha, beta=beta, gamma=gamma)


def sites(*rows: str, tags: tuple[str, ...] = LABELLED) -> str:
    return "loop_\n" + "".join(f"_atom_site_{tag}\n" for tag in tags) + "\n".join(rows) + "\n"


def single(text: str) -> ReadStructure:
    (item,) = read_cif_text(text)
    assert isinstance(item, ReadStructure), item.error
    return item


def problem(text: str) -> str:
    (item,) = read_cif_text(text)
    assert isinstance(item, Unreadable), item.crystal.formula
    return str(item.error)


def difference(first: Crystal, second: Crystal) -> float:
    return fingerprint_distance(fingerprint(first), fingerprint(second))
