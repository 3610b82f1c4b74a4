"""The user's structures: which of them a search can use, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.crystal.composition import Composition
from nucleate.crystal.constraints import FREE_IN_A_SEARCH
from nucleate.crystal.files import Unreadable, read_structures, structure_files_in
from nucleate.crystal.formats.structures import printable
from nucleate.crystal.symmetry import standardised
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.files import Item
    from nucleate.crystal.space import SearchSpace

MOST_APPROXIMANTS = 20
"""Ordered crystals made of a file with partly occupied or shared sites."""

SAME_CRYSTAL = 0.01
"""Å; tolerance of the symmetry by which a conventional cell is reduced to its primitive one."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenCrystal:
    """A structure that a search can use.

    Attributes
    ----------
    file, name : str
        Where it came from.
    crystal : Crystal
        In its primitive cell.
    """

    file: str
    name: str
    crystal: Crystal


@dataclass(slots=True)
class GivenStructures:
    """What some files hold for one search.

    Attributes
    ----------
    usable : list of GivenCrystal
        In their order.
    left_out : Counter
        How many were left out for each reason: ``unreadable``, ``composition``, ``disordered``
        (no ordered crystals can be made) or a reason of :meth:`SearchSpace.rejection`.
    examples : dict of str to str
        One sentence on the first structure that was left out for each reason.
    reduced : int
        How many were given in a larger cell than their primitive one.
    approximants : Counter
        Ordered crystals made of each file with partly occupied or shared sites.
    notes : list of str
        What has to be reported about the reading, each once.
    """

    usable: list[GivenCrystal] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    reduced: int = 0
    approximants: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, reason: str, example: str) -> None:
        """Count a structure that cannot be used."""
        self.left_out[reason] += 1
        self.examples.setdefault(reason, example)

    def messages(self, kind: str) -> list[str]:
        """Return one sentence for each thing that the user must know; ``kind`` names the source."""
        told = []
        if self.left_out:
            reasons = ", ".join(
                f"{count} {reason}" for reason, count in self.left_out.most_common()
            )
            told.append(
                f"{kind}: {len(self.usable)} structures can be used; left out: {reasons} "
                f"(for example {next(iter(self.examples.values()))})"
            )
        if self.approximants:
            told.append(
                f"{kind}: {self.approximants.total()} ordered approximants were made of "
                f"{len(self.approximants)} files with partly occupied or shared sites (for "
                f"example {next(iter(self.approximants))})"
            )
        if self.reduced:
            which = (
                "1 structure was given in a larger cell and is used in its primitive one"
                if self.reduced == 1
                else f"{self.reduced} structures were given in a larger cell and are used in their "
                "primitive one"
            )
            told.append(f"{kind}: {which}")
        return told + [f"{kind}: {note}" for note in self.notes]


def given_structures(
    space: SearchSpace,
    files: str | Sequence[str],
    *,
    kind: str = "seeds",
    start_ratio: float = 1.0,
) -> GivenStructures:
    """Return the structures of files, folders and patterns that a search can use.

    Cells larger than the primitive one are reduced first. The volume window does not apply. What
    cannot be used is counted by its reason: one bad structure costs only itself.

    Parameters
    ----------
    space
        What is searched.
    files
        One or several; a folder stands for every structure file in it.
    kind
        What the structures are, for messages.
    start_ratio
        See :func:`at_rest`.

    Raises
    ------
    InputError
        If a pattern matches nothing.
    """
    found = GivenStructures()
    for path in structure_files(files, kind=kind):
        for item in _items(path):
            _sort_in(found, space, path, item, start_ratio)
    return found


def at_rest(crystal: Crystal, space: SearchSpace, start_ratio: float) -> Crystal:
    """Return a crystal of unknown origin as it is at 0 GPa.

    One whose volume is closer (as a ratio) to the expected one under the pressure than to that at
    0 GPa was computed under it: it is expanded, so that it becomes what it is as a start.

    Parameters
    ----------
    crystal
        Given by the user.
    space
        What is searched, at 0 GPa.
    start_ratio
        Volume of a start under the pressure, relative to that at 0 GPa.
    """
    is_dense = crystal.volume_per_atom < space.volume_per_atom * start_ratio
    if start_ratio == 1.0 or is_dense != (start_ratio < 1.0):
        return crystal
    return crystal.with_volume(crystal.volume / start_ratio)


def structure_files(files: str | Sequence[str], *, kind: str = "seeds") -> list[Path]:
    """Return the structure files that names, folders and glob patterns stand for, in order.

    Raises
    ------
    InputError
        If a pattern matches nothing.
    """
    paths: list[Path] = []
    for pattern in [files] if isinstance(files, str) else files:
        matching = _paths(pattern)
        if not matching:
            raise InputError(
                f"{kind}: {printable(pattern)!r} matches no structure file. Give CIF, extxyz or "
                "POSCAR files, a folder of them or a pattern such as 'known/*.cif'."
            )
        paths += matching
    return paths


def _paths(pattern: str) -> list[Path]:
    path = Path(pattern)
    try:
        if path.is_dir():
            return structure_files_in(path)
        if path.is_file():
            return [path]
        found = glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
    except (OSError, ValueError):  # a NUL, or a name that is too long
        return []
    return sorted(Path(item) for item in found if Path(item).is_file())


def _items(path: Path) -> list[Item]:
    try:
        return read_structures(path)
    except InputError as error:
        return [Unreadable(printable(path.name), error)]


def _sort_in(
    found: GivenStructures, space: SearchSpace, path: Path, item: Item, start_ratio: float
) -> None:
    if isinstance(item, Unreadable):
        if path.suffix.lower() == ".cif" and is_disorder(str(item.error)):
            _sort_in_approximants(found, space, path, item, start_ratio)
        else:
            found.leave_out("unreadable", str(item.error).rstrip("."))
        return
    notes = list(item.notes)
    if item.fixed is not None:
        notes.append(FREE_IN_A_SEARCH)
    found.notes += [note for note in notes if note not in found.notes]
    where = f"{printable(path)}: {item.name}"
    if space.composition.formula_units_of(item.crystal.numbers) is None:
        other = Composition.from_numbers(item.crystal.numbers).formula
        found.leave_out("composition", f"{where} is {other}, not {space.composition.formula}")
        return
    crystal = at_rest(primitive(item.crystal), space, start_ratio)
    reason = space.rejection(crystal, check_volume=False)
    if reason is not None:
        found.leave_out(reason, f"{where} with {crystal.n_atoms} atoms: {reason}")
        return
    found.reduced += crystal.n_atoms < item.crystal.n_atoms
    found.usable.append(GivenCrystal(printable(path), item.name, crystal))


def _sort_in_approximants(
    found: GivenStructures, space: SearchSpace, path: Path, item: Unreadable, start_ratio: float
) -> None:
    """Take the ordered crystals for a block with occupancies, or say why none can be used."""
    from nucleate.library.disorder import ordered_approximants, read_disordered_cif

    where = f"{printable(path)}: {item.name}"
    try:
        orderings = ordered_approximants(
            read_disordered_cif(path, item.name), max_atoms=space.max_atoms, most=MOST_APPROXIMANTS
        )
    except InputError as error:
        found.leave_out("disordered", f"{where}: {str(error).rstrip('.')}")
        return
    crystals = [
        at_rest(primitive(ordering.crystal), space, start_ratio)
        for ordering in orderings
        if space.composition.formula_units_of(ordering.crystal.numbers) is not None
    ]
    reasons = [space.rejection(crystal, check_volume=False) for crystal in crystals]
    usable = [
        GivenCrystal(printable(path), f"{item.name}-ordered-{number}", crystal)
        for number, (crystal, reason) in enumerate(zip(crystals, reasons, strict=True), start=1)
        if reason is None
    ]
    if usable:
        found.approximants[printable(path)] += len(usable)
        found.usable += usable
    elif reasons:
        found.leave_out(str(reasons[0]), f"{where}, ordered: {reasons[0]}")
    else:
        formulas = {Composition.from_numbers(o.crystal.numbers).formula for o in orderings}
        made = f"ordered is {' or '.join(sorted(formulas))}" if formulas else "has no ordered form"
        found.leave_out("composition", f"{where} {made}, not {space.composition.formula}")


def is_disorder(message: str) -> bool:
    """Return whether a file is refused because its sites are partly occupied or shared."""
    return "has the occupancy" in message


def primitive(crystal: Crystal) -> Crystal:
    """Return a crystal in its primitive cell; as it is where it has one already."""
    if crystal.n_atoms == 1:
        return crystal
    smaller = standardised(crystal, SAME_CRYSTAL)
    return crystal if smaller is None or smaller.n_atoms >= crystal.n_atoms else smaller
