"""Crystals of CIF text: sites, symmetry, and checks against what the file says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nucleate.crystal.formats import cif_symmetry
from nucleate.crystal.formats.cif_blocks import CifBlock, cif_blocks
from nucleate.crystal.formats.cif_cell import is_invariant, whole_cell
from nucleate.crystal.formats.cif_checks import contradiction, stated_by, volume_contradiction
from nucleate.crystal.formats.cif_sites import (
    refuse_alternatives,
    refuse_disorder,
    refuse_missing_hydrogen,
    sites_of,
)
from nucleate.crystal.formats.structures import (
    ReadStructure,
    Unreadable,
    cell_from_file,
    guarded,
)
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.formats.cif_checks import Stated
    from nucleate.crystal.formats.cif_sites import CifSite
    from nucleate.crystal.formats.cif_symmetry import Symmetry
    from nucleate.crystal.formats.structures import Item

_CELL_TAGS = (
    "_cell_length_a",
    "_cell_length_b",
    "_cell_length_c",
    "_cell_angle_alpha",
    "_cell_angle_beta",
    "_cell_angle_gamma",
)
_CARTESIAN = re.compile(r"_atom_site[_.]cartn_x", re.IGNORECASE)
_MOMENTS = ("_atom_site_moment_label", "_atom_site_moment_crystalaxis_x")


def read_cif_text(text: str) -> list[Item]:
    """Return what every data block with atoms holds; a broken block costs only itself."""
    return list(iter_cif_text(text))


def iter_cif_text(text: str) -> Iterator[Item]:
    """Yield what :func:`read_cif_text` returns, block by block."""
    cartesian = _CARTESIAN.search(text) is not None
    blocks = cif_blocks(text)
    del text
    found = False
    for block in blocks:
        if isinstance(block, tuple):
            yield Unreadable(*block)
        elif "_atom_site_fract_x" in block:
            yield guarded(lambda block=block: structure_of(block), block.name)
        else:
            continue
        found = True
    if found:
        return
    more = " It has Cartesian ones, whose axes a CIF does not fix." if cartesian else ""
    words = "it has no data block with fractional coordinates (_atom_site_fract_x)."
    yield Unreadable("", InputError(words + more))


def structure_of(block: CifBlock) -> ReadStructure:
    """Return the crystal of a block, all atoms of its cell.

    Raises
    ------
    InputError
        If it is disordered, incomplete, or contradicts itself.
    """
    stated, cell = stated_by(block), cell_of(block)
    sites, notes = sites_of(block, stated.formula)
    if missing := [tag for tag in _CELL_TAGS[3:] if block.value(tag) is None]:
        notes.append(f"{' and '.join(missing)} is not given and taken as 90 degrees")
    refuse_disorder(sites)
    if stated.formula is None:  # which would tell
        refuse_alternatives(sites)
        refuse_missing_hydrogen(sites)
    problem = volume_contradiction(cell, stated)
    if problem is not None:
        raise _contradictory(problem)
    symmetries = cif_symmetry.symmetries(block, cell)
    crystal, symmetry, more = _chosen(sites, symmetries, cell, stated)
    if stated.n_atoms is None and not cif_symmetry.is_group(symmetry):
        raise InputError(
            "its symmetry operations are no group: the product of two of them is not listed. "
            "List all operations, or name the space group instead."
        )
    if symmetry.source in ("none", "listed"):
        _check_name(block, crystal, symmetry, stated)
    if symmetry.source == "magnetic" or any(tag in block for tag in _MOMENTS):
        more = [*more, "it is a magnetic structure: its chemical cell is read, its moments are not"]
    return ReadStructure(block.name, crystal, notes=(*notes, *more))


def disordered_block(text: str, name: str) -> tuple[NDArray[np.float64], list[CifSite], Symmetry]:
    """Return cell, sites and symmetry of a block whose sites are partly occupied or shared.

    For programs that order disordered crystals; nothing is merged or checked.

    Parameters
    ----------
    text
        Of a CIF file.
    name
        Of the block; not needed where only one has sites.

    Raises
    ------
    InputError
        If there is no such block, it cannot be read, or its symmetry is not certain.
    """
    blocks = [
        block
        for block in cif_blocks(text)
        if not isinstance(block, tuple) and "_atom_site_fract_x" in block
    ]
    block = next((one for one in blocks if len(blocks) == 1 or one.name == name), None)
    if block is None:
        raise InputError(f"it has no data block {name!r} with fractional coordinates.")
    cell = cell_of(block)
    symmetries = cif_symmetry.symmetries(block, cell)
    if len(symmetries) > 1:
        raise cif_symmetry.two_origins(symmetries)
    sites, _ = sites_of(block, stated_by(block).formula)
    refuse_missing_hydrogen(sites)
    return cell, sites, symmetries[0]


def cell_of(block: CifBlock) -> NDArray[np.float64]:
    """Return the cell of a block, rows in Å; an angle that is not given is 90 degrees.

    Raises
    ------
    InputError
        If a length is missing, or a value is impossible.
    """
    values = []
    for tag in _CELL_TAGS:
        value = block.number(tag)
        if value is None and "length" in tag:
            raise InputError(f"{tag} is missing.")
        values.append(90.0 if value is None else value)
    return cell_from_file(values)


def _chosen(
    sites: list[CifSite],
    symmetries: list[Symmetry],
    cell: NDArray[np.float64],
    stated: Stated,
) -> tuple[Crystal, Symmetry, list[str]]:
    """Return the crystal by the only symmetry that agrees with what the file says.

    A name that leaves the origin open is settled by formula sum and Z, multiplicities or density
    where exactly one origin agrees with them.
    """
    if len(symmetries) == 1:
        crystal, notes, problem = whole_cell(sites, symmetries[0], cell)
        problem = contradiction(crystal, stated, problem)
        if problem is not None:
            raise _contradictory(problem)
        return crystal, symmetries[0], notes
    evidence = (
        stated.n_atoms is not None
        or stated.density is not None
        or any(site.multiplicity for site in sites)
    )
    agreeing = []
    for symmetry in symmetries if evidence else []:
        try:
            crystal, notes, problem = whole_cell(sites, symmetry, cell)
        except InputError:
            continue
        if contradiction(crystal, stated, problem) is None:
            agreeing.append((crystal, symmetry, notes))
    if len(agreeing) != 1:
        raise cif_symmetry.two_origins(symmetries)
    crystal, symmetry, notes = agreeing[0]
    told = f"the origin is that of {symmetry.name}, the only one that agrees with the content"
    return crystal, symmetry, [*notes, told]


def _check_name(block: CifBlock, crystal: Crystal, symmetry: Symmetry, stated: Stated) -> None:
    """Raise an error if listed operations contradict the named space group, and nothing else tells.

    A name of a group that the crystal has anyway is no contradiction: all atoms of the cell are
    often listed with the name of the group that they obey.
    """
    number, name = cif_symmetry.named_number(block)
    if number is None or number == 1 or (symmetry.source == "none" and not _lists(block)):
        return
    if stated.n_atoms is not None or cif_symmetry.number_of_operations(symmetry) == number:
        return
    alternatives = cif_symmetry.named_alternatives(block, crystal.cell)
    if not alternatives or any(is_invariant(crystal, other) for other in alternatives):
        return
    raise InputError(
        f"it lists {symmetry.order} symmetry operations, which are not those of the space group "
        f"{name} that it names. Correct one of them, or leave the name out."
    )


def _lists(block: CifBlock) -> bool:
    return bool(block.values("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz"))


def _contradictory(problem: str) -> InputError:
    return InputError(
        f"it contradicts itself: {problem}. Check its sites and symmetry, or correct the statement."
    )
