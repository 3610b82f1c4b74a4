"""The eleven compounds of the FUSE2 paper with their reference structures.

Collins et al., Faraday Discussions 256, 85 (2025), https://doi.org/10.1039/d4fd00094c. Eight are
known; each reference file says in its head where its coordinates are from and whether they are
experimental. Three are hypothetical and have no reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.crystal.crystal import Crystal

MAX_ATOMS = 50
"""Largest cell of the paper's searches."""


@dataclass(frozen=True, slots=True)
class Compound:
    """One composition of the benchmark.

    Attributes
    ----------
    name : str
        Formula as the paper writes it.
    is_known : bool
        Whether its structure has been determined.
    structure : str
        Citation of the structure determination that the paper names.
    reference : str
        Where the coordinates of the reference file are from.
    units : int
        Formula units in the primitive cell of the reference; for the hypothetical compounds in
        that of the best published structure.
    """

    name: str
    is_known: bool
    structure: str
    reference: str
    units: int


_MP = "A. Jain et al., APL Mater. 1, 011002 (2013), CC-BY 4.0"

COMPOUNDS = (
    Compound(
        "Ca3Ti2O7",
        is_known=True,
        structure="M. M. Elcombe et al., Acta Cryst. B 47, 305 (1991), Ccm2_1",
        reference=f"Materials Project mp-4163, DFT-relaxed: {_MP}",
        units=2,
    ),
    Compound(
        "CoAs2",
        is_known=True,
        structure="A. Kjekshus, Acta Chem. Scand. 25, 411 (1971), P2_1/c",
        reference="the same, experimental (AMCSD 0011927)",
        units=4,
    ),
    Compound(
        "Cu7S4",
        is_known=True,
        structure="K. Koto, N. Morimoto, Acta Cryst. B 26, 915 (1970), Pnma",
        reference="the same, experimental (AMCSD 0009376)",
        units=4,
    ),
    Compound(
        "Mn",
        is_known=True,
        structure="J. A. Oberteuffer, J. A. Ibers, Acta Cryst. B 26, 1499 (1970), I-43m",
        reference="the same, experimental (AMCSD 0009377)",
        units=29,
    ),
    Compound(
        "Pb5As3O12Cl",
        is_known=True,
        structure="N. J. Calos et al., Z. Kristallogr. 191, 125 (1990), P6_3/m",
        reference="Y. Dai, J. M. Hughes, P. B. Moore, Can. Mineral. 29, 369 (1991), experimental "
        "(AMCSD 0005264)",
        units=2,
    ),
    Compound(
        "Si6Al6B3Fe3NaO30F",
        is_known=True,
        structure="R. Barton Jr, Acta Cryst. B 25, 1524 (1969), R3m",
        reference=f"Materials Project mp-18401, DFT-relaxed: {_MP}",
        units=1,
    ),
    Compound(
        "WCl2",
        is_known=True,
        structure="H. Schäfer et al., Z. Anorg. Allg. Chem. 353, 281 (1967), Bbem",
        reference=f"Materials Project mp-1207828, DFT-relaxed: {_MP}",
        units=12,
    ),
    Compound(
        "YWB4",
        is_known=True,
        structure="C. Benndorf et al., Dalton Trans. 48, 1118 (2019), Pbam",
        reference=f"Materials Project mp-1190755, DFT-relaxed: {_MP}",
        units=4,
    ),
    Compound("Li2Sn2S3Cl4", is_known=False, structure="", reference="", units=1),
    Compound("Li3Si3O5Cl5", is_known=False, structure="", reference="", units=1),
    Compound("Li4OBrCl", is_known=False, structure="", reference="", units=1),
)

_BY_NAME = {compound.name: compound for compound in COMPOUNDS}


def compound_named(name: str) -> Compound:
    """Return a compound by the paper's formula.

    Raises
    ------
    InputError
        If the benchmark has no such compound.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise InputError(
            f"--compounds = {name!r} is not of the benchmark. Use some of {', '.join(_BY_NAME)}."
        ) from None


def compound_of(crystal: Crystal) -> Compound | None:
    """Return the compound that a crystal is of, or None."""
    from nucleate.crystal.composition import Composition

    found = sorted(Composition.from_numbers(crystal.numbers).items)
    for compound in COMPOUNDS:
        if sorted(Composition.from_formula(compound.name).items) == found:
            return compound
    return None


def reference_structure(compound: Compound) -> Crystal | None:
    """Return the reference structure in its primitive cell; None for a hypothetical compound."""
    from nucleate.crystal.files import read_crystals
    from nucleate.crystal.symmetry import symmetrised

    if not compound.is_known:
        return None
    file = resources.files("nucleate.benchmark").joinpath(f"data/targets/{compound.name}.cif")
    with resources.as_file(file) as path:
        return symmetrised(read_crystals(path)[0][1])[0]
