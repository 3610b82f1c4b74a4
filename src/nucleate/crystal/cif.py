"""Reading and writing CIF without loss."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.cells import cell_from_parameters
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element, is_element
from nucleate.crystal.symmetry import symmetry_dataset
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Block = dict[str, str | list[str]]

_SAME_SITE = 0.05  # Å; images of one site nearer than this are one atom on a special position
_TOKEN = re.compile(
    r"""^;(?P<text>.*?)^;(?=\s|\Z)      # text field
      | (?P<comment>(?<!\S)\#[^\n]*)
      | (?<!\S)'(?P<single>[^\n]*?)'(?=\s|\Z)
      | (?<!\S)"(?P<double>[^\n]*?)"(?=\s|\Z)
      | (?P<bare>\S+)""",
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_OPERATION_TAGS = (
    "_space_group_symop_operation_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
)
_SYMBOL_TAGS = (
    "_space_group_name_h-m_alt",
    "_space_group_name_h-m_ref",
    "_symmetry_space_group_name_h-m",
)
_NUMBER_TAGS = ("_space_group_it_number", "_symmetry_int_tables_number")


def read_cif(text: str) -> list[tuple[str, Crystal]]:
    """Return the name and crystal of every data block with atoms.

    Symmetry operations are applied; where a block lists none, those of its space group are.

    Raises
    ------
    InputError
        If there is no crystal, or one is disordered or incomplete.
    """
    found = []
    for name, block in _blocks(text):
        if "_atom_site_fract_x" in block:
            try:
                found.append((name, _crystal_of(block)))
            except InputError as error:
                raise InputError(f"data block {name!r}: {error}") from error
    if not found:
        raise InputError("it has no data block with fractional coordinates (_atom_site_fract_x).")
    return found


def format_cif(crystal: Crystal, *, symprec: float | None = None, title: str = "") -> str:
    """Return a crystal as CIF text.

    Parameters
    ----------
    crystal
        Any cell; a left-handed one is written as its right-handed equivalent.
    symprec
        Tolerance in Å. None writes the crystal as it is (P1). With a tolerance the symmetrised
        conventional cell with its operations and the sites of the asymmetric unit are written,
        or, where no symmetry is found, the crystal as it is.
    title
        Goes into the name of the data block and a comment.
    """
    notes = [title] if title else []
    symmetric = None if symprec is None else _symmetric_sites(crystal, symprec)
    if symmetric is None:
        number, symbol, operations = 1, "P 1", ["x, y, z"]
        shown = crystal if np.linalg.det(crystal.cell) > 0.0 else _right_handed(crystal)
        multiplicities = np.ones(shown.n_atoms, dtype=np.int64)
        n_atoms = shown.n_atoms
    else:
        number, symbol, operations, shown, multiplicities = symmetric
        n_atoms = int(multiplicities.sum())
        notes.append(f"Symmetrised with a tolerance of {symprec:g} Å")
    composition = Composition.from_numbers(crystal.numbers)
    lines = [f"# {' '.join(note.split())}" for note in notes]
    lines += [
        f"data_{re.sub(r'[^A-Za-z0-9_.+-]+', '_', title).strip('_') or composition.formula}",
        f"_chemical_formula_sum '{' '.join(f'{s}{n}' for s, n in composition.items)}'",
        f"_cell_formula_units_Z {n_atoms // composition.n_atoms}",
    ]
    for tag, value in zip("abc", shown.lengths, strict=True):
        lines.append(f"_cell_length_{tag} {value:.14g}")
    for tag, value in zip(("alpha", "beta", "gamma"), shown.angles, strict=True):
        lines.append(f"_cell_angle_{tag} {value:.15g}")
    lines += [
        f"_cell_volume {shown.volume:.10g}",
        f"_space_group_IT_number {number}",
        f"_space_group_name_H-M_alt '{symbol}'",
        "loop_",
        "_space_group_symop_operation_xyz",
        *(f"  '{operation}'" for operation in operations),
        *_site_lines(shown, multiplicities),
    ]
    return "\n".join(lines) + "\n"


def _site_lines(sites: Crystal, multiplicities: NDArray[np.int64]) -> list[str]:
    lines = ["loop_"]
    lines += [
        f"_atom_site_{tag}"
        for tag in (
            "label", "type_symbol", "symmetry_multiplicity",
            "fract_x", "fract_y", "fract_z", "occupancy",
        )
    ]  # fmt: skip
    seen: dict[str, int] = {}
    for number, point, multiplicity in zip(
        sites.numbers, sites.scaled, multiplicities, strict=True
    ):
        symbol = element(int(number)).symbol
        seen[symbol] = seen.get(symbol, 0) + 1
        x, y, z = (f"{value + 0.0:.15f}" for value in point)
        lines.append(f"  {symbol}{seen[symbol]} {symbol} {multiplicity} {x} {y} {z} 1")
    return lines


def _right_handed(crystal: Crystal) -> Crystal:
    return crystal.replace(cell=-crystal.cell, scaled=-crystal.scaled)


def _symmetric_sites(
    crystal: Crystal, symprec: float
) -> tuple[int, str, list[str], Crystal, NDArray[np.int64]] | None:
    """Return space group, operations, asymmetric unit and multiplicities, or None if P1."""
    from moyopy import HallSymbolEntry, Setting, operations_from_number

    dataset = symmetry_dataset(crystal, symprec)
    if dataset is None or dataset.number == 1:
        return None
    group = operations_from_number(dataset.number, setting=Setting.standard())
    rotations = np.array(group.rotations, dtype=np.float64)
    translations = np.array(group.translations)
    standard = dataset.std_cell
    whole = Crystal(np.array(standard.numbers), np.array(standard.basis), standard.positions)
    covered = np.zeros(whole.n_atoms, dtype=bool)
    chosen, multiplicities = [], []
    for index in range(whole.n_atoms):
        if covered[index]:
            continue
        images = rotations @ whole.scaled[index] + translations
        orbit = np.zeros(whole.n_atoms, dtype=bool)
        for image in images:
            gap = whole.scaled - image
            near = np.linalg.norm((gap - np.rint(gap)) @ whole.cell, axis=1) < 1e-3
            if near.sum() != 1:
                return None
            orbit |= near
        if (covered & orbit).any() or len(set(whole.numbers[orbit].tolist())) != 1:
            return None
        covered |= orbit
        chosen.append(index)
        multiplicities.append(int(orbit.sum()))
    sites = whole.replace(numbers=whole.numbers[chosen], scaled=whole.scaled[chosen]).wrapped()
    symbol = HallSymbolEntry(dataset.hall_number).hm_short.replace("_", "")
    operations = [
        _format_operation(rotation, translation)
        for rotation, translation in zip(rotations, translations, strict=True)
    ]
    return dataset.number, symbol, operations, sites, np.array(multiplicities)


def _format_operation(rotation: NDArray[np.float64], translation: NDArray[np.float64]) -> str:
    parts = []
    for row, shift in zip(np.rint(rotation).astype(int), translation, strict=True):
        part = ""
        for factor, axis in zip(row, "xyz", strict=True):
            if factor:
                part += ("-" if factor < 0 else "+" if part else "") + axis
        fraction = Fraction(float(shift) % 1.0).limit_denominator(24) % 1
        parts.append(part + (f"+{fraction}" if fraction else ""))
    return ", ".join(parts)


def _blocks(text: str) -> Iterator[tuple[str, Block]]:
    """Yield the name and the tags (lower case) of every data block."""
    name, block = "", {}
    tokens = list(_tokens(text))
    position = 0
    while position < len(tokens):
        token, quoted = tokens[position]
        lowered = "" if quoted else token.lower()
        position += 1
        if lowered.startswith("data_"):
            if block:
                yield name, block
            name, block = token[5:], {}
        elif lowered == "loop_":
            position = _read_loop(tokens, position, block)
        elif lowered.startswith("_") and position < len(tokens):
            block[lowered] = tokens[position][0]
            position += 1
    if block:
        yield name, block


def _read_loop(tokens: list[tuple[str, bool]], position: int, block: Block) -> int:
    tags = []
    while position < len(tokens) and tokens[position][0].startswith("_"):
        if tokens[position][1]:
            break
        tags.append(tokens[position][0].lower())
        position += 1
    values = []
    while position < len(tokens) and not _ends_loop(*tokens[position]):
        values.append(tokens[position][0])
        position += 1
    if not tags or len(values) % len(tags):
        raise InputError(f"the loop over {tags} has {len(values)} values, not a multiple.")
    for column, tag in enumerate(tags):
        block[tag] = values[column :: len(tags)]
    return position


def _ends_loop(token: str, quoted: bool) -> bool:
    lowered = token.lower()
    return not quoted and (lowered.startswith(("_", "data_")) or lowered == "loop_")


def _tokens(text: str) -> Iterator[tuple[str, bool]]:
    for match in _TOKEN.finditer(text.replace("\r\n", "\n").replace("\r", "\n")):
        kind = match.lastgroup
        if kind != "comment":
            yield match[kind or 0], kind != "bare"


def _crystal_of(block: Block) -> Crystal:
    lengths = [_number(block, f"_cell_length_{axis}") for axis in "abc"]
    angles = [_number(block, f"_cell_angle_{name}") for name in ("alpha", "beta", "gamma")]
    try:
        cell = cell_from_parameters(lengths, angles)
    except ValueError as error:
        raise InputError(f"{error}.") from error
    columns = [_column(block, f"_atom_site_fract_{axis}") for axis in "xyz"]
    sites = np.array([[_float(value, "coordinate") for value in column] for column in columns]).T
    labels = _column(block, "_atom_site_label", "_atom_site_type_symbol")
    kinds = _column(block, "_atom_site_type_symbol", "_atom_site_label")
    _refuse_disorder(block, labels)
    numbers = [_atomic_number(kind, label) for kind, label in zip(kinds, labels, strict=True)]
    rotations, translations = _operations(block, cell)
    all_numbers, all_points = [], []
    for number, site in zip(numbers, sites, strict=True):
        points = _orbit(site, rotations, translations, cell)
        all_numbers += [number] * len(points)
        all_points.append(points)
    return Crystal(np.array(all_numbers), cell, np.concatenate(all_points))


def _refuse_disorder(block: Block, labels: list[str]) -> None:
    if "_atom_site_occupancy" not in block:
        return
    for label, value in zip(labels, _column(block, "_atom_site_occupancy"), strict=True):
        if value in (".", "?"):
            continue
        occupancy = _float(value, "occupancy")
        if abs(occupancy - 1.0) > 1e-3:
            raise InputError(
                f"site {label} has the occupancy {occupancy:g}. Crystals must be ordered: give an "
                "ordered model (a supercell with whole atoms) instead."
            )


def _orbit(
    site: NDArray[np.float64],
    rotations: NDArray[np.float64],
    translations: NDArray[np.float64],
    cell: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the distinct images of a site; those of a special position are averaged."""
    if len(rotations) == 1:
        return site[None, :]
    images = rotations @ site + translations
    images -= np.floor(images)
    left = list(range(len(images)))
    points = []
    while left:
        gaps = images[left] - images[left[0]]
        gaps -= np.rint(gaps)
        near = np.linalg.norm(gaps @ cell, axis=1) < _SAME_SITE
        points.append(images[left[0]] + gaps[near].mean(axis=0))
        left = [index for index, taken in zip(left, near, strict=True) if not taken]
    return np.array(points)


def _operations(
    block: Block, cell: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for tag in _OPERATION_TAGS:
        if tag in block:
            parsed = [_parse_operation(text) for text in _column(block, tag)]
            return np.array([p[0] for p in parsed]), np.array([p[1] for p in parsed])
    symbol = next((_column(block, tag)[0] for tag in _SYMBOL_TAGS if tag in block), "?")
    number = next((_column(block, tag)[0] for tag in _NUMBER_TAGS if tag in block), "?")
    if symbol in ("?", ".") and number in ("?", "."):
        return np.eye(3)[None], np.zeros((1, 3))
    return _tabulated_operations("" if symbol in ("?", ".") else symbol, number, cell)


def _tabulated_operations(
    symbol: str, number: str, cell: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the operations of a space group named by symbol or number only."""
    from moyopy import HallSymbolEntry, Setting, operations_from_number

    plain, _, choice = _plain(symbol).partition(":")
    found = {}
    for entry in map(HallSymbolEntry, range(1, 531)):
        if plain and plain not in (_plain(entry.hm_short), _plain(entry.hm_full)):
            continue
        if number.isdigit() and entry.number != int(number):
            continue
        setting = str(entry.setting).lower()
        if choice and setting != choice:
            continue
        group = operations_from_number(entry.number, setting=Setting.hall_number(entry.hall_number))
        rotations = np.array(group.rotations, dtype=np.float64)
        if _keeps_metric(rotations, cell):
            found.setdefault(setting, (rotations, np.array(group.translations)))
    if not found or {"1", "2"} <= set(found):
        problem = "has two origins" if found else "is not known, or does not fit the cell"
        raise InputError(
            f"space group {symbol or number!r} {problem}. List the symmetry operations "
            "(_space_group_symop_operation_xyz)."
        )
    return next(iter(found.values()))


def _keeps_metric(rotations: NDArray[np.float64], cell: NDArray[np.float64]) -> bool:
    metric = cell @ cell.T
    turned = np.swapaxes(rotations, 1, 2) @ metric @ rotations
    return bool(np.abs(turned - metric).max() < 0.01 * np.diag(metric).max())


def _plain(symbol: str) -> str:
    return re.sub(r"[\s_]", "", symbol).lower()


def _parse_operation(text: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rotation, translation = np.zeros((3, 3)), np.zeros(3)
    parts = re.sub(r"\s", "", text.lower()).split(",")
    if len(parts) != 3:
        raise InputError(f"symmetry operation {text!r} does not have three parts.")
    for row, part in enumerate(parts):
        for term in re.findall(r"[+-]?[^+-]+", part):
            match = re.fullmatch(r"([+-]?)(\d+(?:\.\d*)?(?:/\d+)?|\.\d+)?\*?([xyz])?", term)
            if match is None or not (match[2] or match[3]):
                raise InputError(f"symmetry operation {text!r} cannot be read.")
            value = float(Fraction(match[2] or "1")) * (-1.0 if match[1] == "-" else 1.0)
            if match[3]:
                rotation[row, "xyz".index(match[3])] += value
            else:
                translation[row] += value
    return rotation, translation


def _atomic_number(kind: str, label: str) -> int:
    match = re.match(r"[A-Z][a-z]?", kind)
    for symbol in (match[0], match[0][0]) if match else ():
        if symbol in ("D", "T"):
            return 1
        if is_element(symbol):
            return element(symbol).number
    raise InputError(f"site {label}: {kind!r} is not an element.")


def _column(block: Block, *tags: str) -> list[str]:
    for tag in tags:
        if tag in block:
            value = block[tag]
            return [value] if isinstance(value, str) else value
    raise InputError(f"{tags[0]} is missing.")


def _number(block: Block, tag: str) -> float:
    return _float(_column(block, tag)[0], tag)


def _float(value: str, what: str) -> float:
    try:
        return float(re.sub(r"\(\d*\)?$", "", value))
    except ValueError:
        raise InputError(f"{what} {value!r} is not a number.") from None
