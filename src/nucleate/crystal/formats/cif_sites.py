"""The sites of a CIF with elements, coordinates and occupancies, before any symmetry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element
from nucleate.crystal.formats.cif_blocks import number_of
from nucleate.crystal.formats.cif_elements import (
    DEUTERIUM,
    Labelling,
    element_of_label,
    element_of_type,
)
from nucleate.crystal.formats.structures import MOST_ATOMS, shortened
from nucleate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.formats.cif_blocks import CifBlock

_COORDINATES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_NULL = ("?", ".", "")
_FULL = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class CifSite:
    """One row of the atom-site loop.

    Attributes
    ----------
    label : str
        As in the file.
    symbol : str
        Element; H for deuterium.
    scaled : ndarray of float64, shape (3,)
        Fractional coordinates.
    occupancy : float
        Probability that the site is occupied; 1 where the file gives none.
    multiplicity : int or None
        Atoms of the site in the cell, where the file gives it.
    disorder : (str, str)
        Disorder assembly and group, empty where the file gives none.
    hydrogens : float
        Hydrogen atoms at the site that have no site of their own.
    """

    label: str
    symbol: str
    scaled: NDArray[np.float64]
    occupancy: float = 1.0
    multiplicity: int | None = None
    disorder: tuple[str, str] = ("", "")
    hydrogens: float = 0.0

    @property
    def number(self) -> int:
        """Atomic number."""
        return element(self.symbol).number


def sites_of(block: CifBlock, formula: dict[str, float] | None) -> tuple[list[CifSite], list[str]]:
    """Return the sites of a block and what has to be reported about them.

    Dummy sites (``_atom_site_calc_flag dum``) and sites of occupancy 0 are left out.

    Raises
    ------
    InputError
        If a site has no element or no position.
    """
    table = block.table(_COORDINATES[0])
    columns = [_column(block, table, tag) for tag in _COORDINATES]
    rows = len(columns[0])
    if rows > MOST_ATOMS:
        raise InputError(f"it has {rows} sites; at most {MOST_ATOMS} can be read.")
    labels = _text_column(block, table, "_atom_site_label", rows)
    kinds = _text_column(block, table, "_atom_site_type_symbol", rows)
    flags = _text_column(block, table, "_atom_site_calc_flag", rows)
    if not rows:
        raise InputError("it has no atoms: the loop of its sites is empty.")
    if not any(kinds) and not any(labels):
        raise InputError("_atom_site_label and _atom_site_type_symbol are missing.")
    labelling = Labelling.of(
        [kind or label for kind, label in zip(kinds, labels, strict=True)], formula
    )
    occupancies = _numbers(block, table, "_atom_site_occupancy", rows, "occupancy", 1.0)
    hydrogens = _numbers(
        block, table, "_atom_site_attached_hydrogens", rows, "number of hydrogen atoms", 0.0
    )
    multiplicities = _multiplicities(block, table, rows)
    assemblies = _text_column(block, table, "_atom_site_disorder_assembly", rows)
    groups = _text_column(block, table, "_atom_site_disorder_group", rows)
    sites, dummies, empty, heavy = [], [], [], False
    for row in range(rows):
        label = labels[row] or f"{kinds[row]} (row {row + 1})"
        if flags[row].lower() == "dum":
            dummies.append(label)
            continue
        if occupancies[row] == 0.0:
            empty.append(label)
            continue
        kind = kinds[row] or labels[row]
        symbol = (
            element_of_type(kinds[row], label) if kinds[row] else element_of_label(kind, labelling)
        )
        heavy = heavy or (symbol == "H" and kind[:1] == "D")
        scaled = np.array([number_of(column[row], "coordinate") for column in columns])
        sites.append(
            CifSite(
                label, symbol, scaled, occupancies[row], multiplicities[row],
                (assemblies[row], groups[row]), hydrogens[row],
            )
        )  # fmt: skip
    notes = [DEUTERIUM] if heavy else []
    if dummies:
        notes.append(f"dummy sites are left out: {_listed(dummies)}")
    if empty:
        notes.append(f"sites of occupancy 0 are left out: {_listed(empty)}")
    if not sites:
        raise InputError("it has no atoms: every site is a dummy or empty.")
    return sites, notes


def refuse_disorder(sites: list[CifSite]) -> None:
    """Raise an error that names the first site that is not fully occupied.

    Raises
    ------
    InputError
        If there is such a site.
    """
    for site in sites:
        if abs(site.occupancy - 1.0) > _FULL:
            raise InputError(
                f"site {site.label} has the occupancy {site.occupancy:g}. Crystals must be "
                "ordered: give an ordered model (a supercell with whole atoms) instead, or give "
                "the file to a search as a seed, which makes ordered models of it."
            )


def refuse_alternatives(sites: list[CifSite]) -> None:
    """Raise an error for fully occupied sites of two groups of one disorder assembly.

    Raises
    ------
    InputError
        If there are such sites: they exclude each other.
    """
    first: dict[str, CifSite] = {}
    for site in sites:
        assembly, group = site.disorder
        other = first.setdefault(assembly, site) if group else site
        if other.disorder[1] != group:
            raise InputError(
                f"sites {other.label} and {site.label} are alternatives (disorder groups "
                f"{other.disorder[1]} and {group}). Crystals must be ordered: keep one of them."
            )


def refuse_missing_hydrogen(sites: list[CifSite]) -> None:
    """Raise an error for a site with hydrogen atoms that have no site of their own.

    Raises
    ------
    InputError
        If there is such a site.
    """
    for site in sites:
        if site.hydrogens > 0.0:
            raise InputError(
                f"site {site.label} has {site.hydrogens:g} hydrogen atoms without coordinates "
                "(_atom_site_attached_hydrogens). Give each atom a site."
            )


def _column(block: CifBlock, table: dict[str, list[str]], tag: str) -> list[str]:
    if tag in table:
        return table[tag]
    problem = "is in another loop than _atom_site_fract_x" if tag in block else "is missing"
    raise InputError(f"{tag} {problem}. Give each site its three coordinates in one loop.")


def _text_column(block: CifBlock, table: dict[str, list[str]], tag: str, rows: int) -> list[str]:
    """Return an optional column with empty texts for unknown values."""
    if tag not in table:
        if tag in block:
            raise InputError(f"{tag} is in another loop than _atom_site_fract_x.")
        return [""] * rows
    return ["" if value in _NULL else value.strip() for value in table[tag]]


def _numbers(
    block: CifBlock, table: dict[str, list[str]], tag: str, rows: int, what: str, default: float
) -> list[float]:
    texts = _text_column(block, table, tag, rows)
    return [number_of(text, what) if text else default for text in texts]


def _multiplicities(block: CifBlock, table: dict[str, list[str]], rows: int) -> list[int | None]:
    for tag in ("_atom_site_symmetry_multiplicity", "_atom_site_site_symmetry_multiplicity"):
        if tag in table:
            texts = _text_column(block, table, tag, rows)
            return [int(text) if text.isdecimal() and len(text) < 5 else None for text in texts]
    return [None] * rows


def _listed(labels: list[str]) -> str:
    shown = ", ".join(shortened(label)[1:-1] for label in labels[:5])
    return shown + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
