"""Symmetry operations of a CIF: listed, by a Hall symbol, or by the name of a space group."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.formats.cif_groups import entries_of, split_name
from nucleate.crystal.formats.cif_operations import parse_operation
from nucleate.crystal.formats.structures import shortened
from nucleate.errors import InputError

if TYPE_CHECKING:
    from gemmi import GroupOps, SpaceGroup
    from numpy.typing import NDArray

    from nucleate.crystal.formats.cif_blocks import CifBlock

MOST_OPERATIONS = 5000
_MOST_ROTATIONS, _MOST_CENTRINGS = 48, 64
_SAME_TRANSLATION = 0.02
"""In cells; 0.33 stands for 1/3."""

_POWERS = 11 ** np.arange(9)
"""Make one number of a rotation, whose elements are small."""

_OPERATIONS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop_xyz",
)
_MAGNETIC = ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_xyz")
_CENTRINGS = ("_space_group_symop_magn_centering_xyz", "_space_group_symop_magn_centring_xyz")
_HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
_NAMES = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m_ref",
    "_space_group_name_h-m_full",
    "_symmetry_space_group_name_h-m_alt",
)
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
_CODE = ("_space_group_it_coordinate_system_code", "_symmetry_int_tables_setting")
_MODULATED = (
    "_space_group_ssg_",
    "_space_group_symop_ssg_",
    "_space_group_magn_ssg_",
    "_space_group_symop_magn_ssg_",
    "_cell_wave_vector_",
    "_cell_subsystem",
    "_atom_site_fourier_",
    "_atom_site_occ_fourier_",
    "_atom_site_displace_fourier_",
)


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Operations of one setting of a space group.

    Attributes
    ----------
    name : str
        For messages.
    rotations : ndarray of float64, shape (n, 3, 3)
        Act on fractional coordinates as columns.
    translations : ndarray of float64, shape (n, 3)
        In cells.
    source : {"none", "listed", "magnetic", "Hall", "name"}
        Where they come from.
    """

    name: str
    rotations: NDArray[np.float64]
    translations: NDArray[np.float64]
    source: str

    @property
    def order(self) -> int:
        """Number of operations."""
        return len(self.rotations)


def symmetries(block: CifBlock, cell: NDArray[np.float64]) -> list[Symmetry]:
    """Return the symmetry of a block; more than one where its name leaves the origin open.

    Raises
    ------
    InputError
        If it is modulated, contradicts itself, or cannot be read.
    """
    _refuse_modulated(block)
    if magnetic := block.values(*_MAGNETIC):
        return [_magnetic(magnetic, block.values(*_CENTRINGS))]
    if any(tag.startswith("_space_group_magn_") for tag in block.pairs):
        return [_of_magnetic_name(block, cell)]
    if listed := [text for text in block.values(*_OPERATIONS) if text not in ("?", ".")]:
        return [_listed(listed)]
    hall, name, number = block.value(*_HALL), _name_of(block), _number_of(block)
    if hall is not None:
        return [_of_hall(hall, name, number, cell)]
    if name is None and number is None:
        return [Symmetry("P 1", np.eye(3)[None], np.zeros((1, 3)), "none")]
    code = (block.value(*_CODE) or "").lower()
    return _of_name(name, number, code, cell)


def named_alternatives(block: CifBlock, cell: NDArray[np.float64]) -> list[Symmetry]:
    """Return the settings of the space group that a block names beside listed operations.

    Empty where it names none, or one that is not known.
    """
    name, number = _name_of(block), _number_of(block)
    if name is None and number is None:
        return []
    try:
        return _of_name(name, number, "", cell)
    except InputError:
        return []


def named_number(block: CifBlock) -> tuple[int | None, str]:
    """Return number and name of the space group that a block names, or None."""
    number, name = _number_of(block), _name_of(block)
    if number is None and name is not None:
        found = entries_of(*split_name(name))
        number = found[0].number if found else None
    return number, name or str(number)


def number_of_operations(symmetry: Symmetry) -> int | None:
    """Return the number of the space group of some operations; None if they are no group."""
    import gemmi

    ops = []
    for rotation, translation in zip(symmetry.rotations, symmetry.translations, strict=True):
        op = gemmi.Op()
        op.rot = np.rint(rotation * 24).astype(int).tolist()
        op.tran = (np.rint(translation * 24).astype(int) % 24).tolist()
        ops.append(op)
    try:
        group = gemmi.find_spacegroup_by_ops(gemmi.GroupOps(ops))
    except (RuntimeError, ValueError):
        return None
    return None if group is None else group.number


def is_group(symmetry: Symmetry) -> bool:
    """Return whether the product of any two operations is one of them, up to lattice translations.

    The operations must have been made distinct; of very many centrings (a supercell) it is not
    checked.
    """
    codes = np.rint(symmetry.rotations).astype(int).reshape(-1, 9) @ _POWERS
    unique, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if len(unique) > _MOST_ROTATIONS or counts.min() != counts.max():
        return False
    if counts[0] > _MOST_CENTRINGS:
        return True
    order = np.argsort(inverse, kind="stable").reshape(len(unique), -1)
    rotations, shifts = symmetry.rotations[order[:, 0]], symmetry.translations[order]
    first = shifts[:, 0]
    centrings = shifts[np.searchsorted(unique, np.eye(3, dtype=int).ravel() @ _POWERS)]

    def are_centrings(found: NDArray[np.float64]) -> bool:
        apart = found[..., None, :] - centrings
        return bool(np.all(np.abs(apart - np.rint(apart)).max(-1).min(-1) < _SAME_TRANSLATION))

    products = np.rint(rotations[:, None] @ rotations).astype(int).reshape(-1, 9) @ _POWERS
    places = np.searchsorted(unique, products).clip(max=len(unique) - 1)
    if not np.array_equal(unique[places], products):
        return False
    moved = np.einsum("aij,bj->abi", rotations, first) + first[:, None]
    return (
        are_centrings(shifts - first[:, None])
        and are_centrings(centrings[:, None] + centrings)
        and are_centrings(np.einsum("aij,cj->aci", rotations, centrings))
        and are_centrings(moved - first[places].reshape(moved.shape))
    )


def keeps_metric(rotations: NDArray[np.float64], cell: NDArray[np.float64]) -> bool:
    """Return whether all rotations map the lattice of a cell onto itself within 1 %."""
    metric = cell @ cell.T
    turned = np.swapaxes(rotations, 1, 2) @ metric @ rotations
    return bool(np.abs(turned - metric).max() < 0.01 * np.diag(metric).max())


def _refuse_modulated(block: CifBlock) -> None:
    dimension = block.number("_cell_modulation_dimension")
    tags = [*block.pairs, *(tag for loop in block.loops for tag in loop)]
    if dimension or (dimension is None and any(tag.startswith(_MODULATED) for tag in tags)):
        raise InputError(
            "it is a modulated structure (superspace group), which has no unit cell in three "
            "dimensions. Give a commensurate approximant in P1."
        )


def _listed(texts: list[str]) -> Symmetry:
    if len(texts) > MOST_OPERATIONS:
        raise InputError(f"it lists {len(texts)} symmetry operations; a space group has 192.")
    parsed = [parse_operation(text) for text in texts]
    rotations, translations = _with_identity(parsed)
    source = "none" if len(rotations) == 1 else "listed"
    return Symmetry("of its operations", rotations, translations, source)


def _magnetic(operations: list[str], centrings: list[str]) -> Symmetry:
    """Return the chemical operations of a magnetic group: its time inversions left out."""
    if len(operations) * max(len(centrings), 1) > MOST_OPERATIONS:
        raise InputError("it lists more magnetic operations than a space group has.")
    parsed = [parse_operation(_without_time(text)) for text in operations]
    shifts = [parse_operation(_without_time(text)) for text in centrings] or parsed[:0]
    if any(not np.array_equal(rotation, np.eye(3)) for rotation, _ in shifts):
        raise InputError("a magnetic centring is not a translation. Write it like 'x+1/2,y,z,-1'.")
    pairs = [
        (rotation, translation + shift)
        for _, shift in shifts or [(np.eye(3), np.zeros(3))]
        for rotation, translation in parsed
    ]
    rotations, translations = _with_identity(pairs)
    return Symmetry("of its magnetic operations", rotations, translations, "magnetic")


def _of_magnetic_name(block: CifBlock, cell: NDArray[np.float64]) -> Symmetry:
    """Return the chemical group of a magnetic name whose lattice is that of the crystal.

    In such a name (no subscript at the lattice letter) the primes mark operations with time
    inversion; without them it is the name of the chemical group in its standard setting.
    """
    name = block.value("_space_group_magn_name_bns") or ""
    plain = re.sub(r"\s*1'\s*$", "", name).replace("'", "").strip()
    if plain and "_" not in plain:
        found = _of_name(plain, None, "", cell)
        if len(found) == 1:
            return replace(found[0], source="magnetic")
    raise InputError(
        "it names a magnetic space group without its operations. List them "
        "(_space_group_symop_magn_operation.xyz and _space_group_symop_magn_centering.xyz)."
    )


def _without_time(text: str) -> str:
    return re.sub(r",\s*([+-]?1|[+-]?m)\s*$", "", text.strip())


def _with_identity(
    parsed: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distinct operations, the identity first."""
    found: dict[tuple[int, ...], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for rotation, translation in [(np.eye(3), np.zeros(3)), *parsed]:
        shift = np.rint((translation % 1.0) * 1000).astype(int) % 1000
        key = (*np.rint(rotation).astype(int).ravel().tolist(), *shift.tolist())
        found.setdefault(key, (rotation, translation))
    return np.array([pair[0] for pair in found.values()]), np.array(
        [pair[1] for pair in found.values()]
    )


def _of_hall(
    hall: str, name: str | None, number: int | None, cell: NDArray[np.float64]
) -> Symmetry:
    import gemmi

    try:
        group = gemmi.symops_from_hall(hall[:100].replace("_", " "))
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"the Hall symbol {shortened(hall)} cannot be read. Correct it, or list the symmetry "
            "operations (_space_group_symop_operation_xyz)."
        ) from error
    found = gemmi.find_spacegroup_by_ops(group)
    expected = number
    if expected is None and name is not None:
        entries = entries_of(*split_name(name))
        expected = entries[0].number if entries else None
    if found is not None and expected is not None and found.number != expected:
        raise InputError(
            f"its Hall symbol {shortened(hall)} is of space group {found.number}, its name "
            f"{name or number!r} of {expected}. Correct one of them."
        )
    symmetry = _symmetry(hall, group, "Hall")
    if not keeps_metric(symmetry.rotations, cell):
        raise InputError(f"its Hall symbol {shortened(hall)} does not fit the cell.")
    return symmetry


def _of_name(
    name: str | None, number: int | None, code: str, cell: NDArray[np.float64]
) -> list[Symmetry]:
    """Return the operations of every setting that a name leaves open and the cell allows."""
    import gemmi

    symbol, choice = ("", "") if name is None else split_name(name)
    shown = name or number
    entries = entries_of(symbol, choice) if symbol else []
    if name is not None and not entries:
        raise _not_usable(shown, "is not known")
    if number is not None:
        if not 1 <= number <= 230:
            raise _not_usable(shown, f"has the number {number}, which none has")
        if entries and entries[0].number != number:
            raise InputError(
                f"its space group is {name!r} (number {entries[0].number}) and also number "
                f"{number}. Correct one of them."
            )
        if not entries:
            reference = gemmi.get_spacegroup_reference_setting(number)
            entries = [e for e in gemmi.spacegroup_table_itb() if e.hm == reference.hm]
    entries = _by_code(entries, code or choice)
    fitting = [
        symmetry
        for entry in entries
        if keeps_metric(
            (symmetry := _symmetry(entry.xhm(), entry.operations(), "name")).rotations, cell
        )
    ]
    if not fitting:
        raise _not_usable(shown, "does not fit the cell")
    both = {symmetry.name[-1] for symmetry in fitting if symmetry.name.endswith((":1", ":2"))}
    return fitting if len(both) > 1 else fitting[:1]


def two_origins(symmetries: list[Symmetry]) -> InputError:
    """Return the error for a name that leaves the origin open."""
    name = symmetries[0].name.partition(":")[0]
    return _not_usable(name, "has two origins, and the file does not say which it uses")


def _by_code(entries: list[SpaceGroup], code: str) -> list[SpaceGroup]:
    """Return the entries of a coordinate-system code such as 1, 2, h, r, b1; all if none is."""
    plain = code.lower()
    chosen = [
        entry
        for entry in entries
        if plain and plain in (entry.ext.lower(), entry.qualifier, entry.ext + entry.qualifier)
    ]
    return chosen or entries


def _not_usable(shown: object, problem: str) -> InputError:
    return InputError(
        f"space group {shortened(str(shown))} {problem}. List the symmetry operations "
        "(_space_group_symop_operation_xyz)."
    )


def _symmetry(name: str, group: GroupOps, source: str) -> Symmetry:
    pairs = list(group)
    rotations = np.array([op.rot for op in pairs], dtype=np.float64) / 24
    translations = np.array([op.tran for op in pairs], dtype=np.float64) / 24
    return Symmetry(name, rotations, translations, source if len(pairs) > 1 else "none")


def _name_of(block: CifBlock) -> str | None:
    name = block.value(*_NAMES)
    if name is not None and len(name) > 100:
        raise _not_usable(name, "is not known")
    unknown = name is None or name.strip("'\"() ").lower() in ("", "unknown", "none", "n/a", "na")
    return None if unknown else name


def _number_of(block: CifBlock) -> int | None:
    text = block.value(*_NUMBERS)
    if text is None:
        return None
    if not re.fullmatch(r"[+-]?\d{1,4}", text, re.ASCII):
        raise InputError(f"its space-group number {shortened(text)} is not a whole number.")
    return int(text) or None
