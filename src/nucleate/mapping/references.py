"""Known compounds of a field, to be relaxed by the tiers of the map.

What is held out. ``search.known`` says what of the libraries may be used *for a target*, and a
reference hands over a finished structure. With ``no-formula`` no library entry of a composition
that the map searches is a reference; with ``no-relatives`` none of any composition but the corners,
as every compound inside a field shares all but one element with a larger one; with ``off`` none at
all. Corners (elements, end members) stay, as energies are measured from them, and so do compounds
of at most ``field.known_elements`` elements, which lets a test take the binaries as known and the
ternaries as unknown. Structures of files that the input names are always used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.crystal.composition import Composition
from nucleate.crystal.elements import element
from nucleate.crystal.formats.archives import is_archive, plain_name
from nucleate.crystal.formats.structures import Unreadable
from nucleate.errors import InputError
from nucleate.library.library import SHIPPED, Library
from nucleate.library.sources import read_source
from nucleate.mapping.elements import SOURCE, element_crystals
from nucleate.mapping.field import key_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.field import Field
    from nucleate.mapping.settings import MapSettings

UNKNOWN_ABOVE_HULL = 0.03
"""eV/atom above the hull of a compound of which it is not known, for the order of polymorphs."""


COLLECTIONS = (".parquet", ".db", ".aselmdb", ".json")
"""Kinds of files that hold compounds of many fields; those of other fields are only counted."""

MOST_NAMED = 4
"""Structures of other fields that a message names."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A known compound of a field.

    Attributes
    ----------
    name : str
        Its identifier, for example ``mp-4163`` or the name of its file.
    crystal : Crystal
    composition : Composition
        Reduced, in chemical order.
    source : str
        Library, file or folder.
    above_hull : float or None
        eV/atom by the source, where known.
    is_chosen : bool
        Whether somebody has chosen it for the field: it is a file, or one of a folder.
    """

    name: str
    crystal: Crystal
    composition: Composition
    source: str
    above_hull: float | None = None
    is_chosen: bool = False

    @property
    def formula(self) -> str:
        """Reduced formula."""
        return self.composition.formula


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """The known compounds of a field.

    Attributes
    ----------
    found : tuple of Reference
        The corners first, then by number of elements and formula; the polymorphs of a composition
        together, the lowest first.
    missing : tuple of Composition
        Corners without any: they have to be searched before there is a hull.
    held_out : int
        Entries of libraries that were left out by ``search.known``.
    more_polymorphs : int
        Structures beyond ``field.polymorphs`` of a composition.
    unreadable : tuple of str
        Structures of files that cannot be used, with the reasons.
    outside : int
        Structures of tables, databases, archives and downloads that are not in the field.
    """

    found: tuple[Reference, ...]
    missing: tuple[Composition, ...]
    held_out: int = 0
    more_polymorphs: int = 0
    unreadable: tuple[str, ...] = ()
    outside: int = 0

    def of(self, composition: Composition) -> tuple[Reference, ...]:
        """Return the references of a composition."""
        key = key_of(composition.counts)
        return tuple(item for item in self.found if key_of(item.composition.counts) == key)

    def in_words(self) -> str:
        """Return what the hull is made of, what was left out and what is missing, in a line."""
        n_compositions = len({item.formula for item in self.found})
        parts = [f"{len(self.found)} known structures of {n_compositions} compositions"]
        if self.held_out:
            parts.append(f"{self.held_out} held out")
        if self.more_polymorphs:
            parts.append(f"{self.more_polymorphs} further polymorphs not used")
        if self.outside:
            parts.append(f"{self.outside} outside the field")
        if self.unreadable:
            parts.append(
                f"{len(self.unreadable)} left out as they cannot be used ({self.unreadable[0]})"
            )
        if self.missing:
            names = ", ".join(item.formula for item in self.missing)
            parts.append(f"none of {names}, which will be searched")
        return "; ".join(parts)


def references_of(field: Field, settings: MapSettings) -> References:
    """Return the known compounds whose elements, or end members, are those of a field.

    Parameters
    ----------
    field
        The field.
    settings
        The input: ``field.references``, ``field.polymorphs``, ``search.known``.

    Raises
    ------
    InputError
        If a source cannot be read or has nothing of the field, or a structure file or one of a
        folder is not in it.
    """
    known = getattr(settings.search, "known", "all")
    found: list[Reference] = []
    held_out, outside, unreadable = 0, 0, []
    for source in settings.field.references:
        if source == SHIPPED or Path(source).suffix == ".nlib":
            items = list(_of_library(field, source))
            kept = [item for item in items if _is_allowed(item, field, settings, known)]
            held_out += len(items) - len(kept)
            found += kept
        else:
            items, problems, number = _of_files(field, source)
            outside += number
            found += items
            unreadable += problems
    if settings.field.references and known != "off":
        found += _of_elements(field, found)
    lowest = _polymorphs(found, field, settings.field.polymorphs)
    names = {item.composition for item in lowest}
    missing = tuple(member for member in field.members if member not in names)
    return References(tuple(lowest), missing, held_out, len(found) - len(lowest),
                      tuple(unreadable), outside)  # fmt: skip


def _of_library(field: Field, name: str) -> Iterator[Reference]:
    library = Library.load((name,))
    for number in library.within([element(symbol).number for symbol in field.elements]):
        entry = library.entry(number)
        composition = _composed({element(z).symbol: 0 for z in entry.elements}, entry)
        if field.contains(composition):
            yield Reference(
                entry.name, library.crystal(number), composition, name, entry.above_hull
            )


def _composed(symbols: dict[str, int], entry: Any) -> Composition:
    """Return the composition of a library entry without its crystal."""
    for z, count in zip(entry.elements, entry.proto.counts, strict=True):
        symbols[element(z).symbol] += count
    return _ordered(symbols)


def _ordered(counts: dict[str, int]) -> Composition:
    from nucleate.crystal.formula import chemical_order

    return Composition.from_counts({symbol: counts[symbol] for symbol in chemical_order(counts)})


def _is_allowed(item: Reference, field: Field, settings: MapSettings, known: str) -> bool:
    if known == "all":
        return True
    if known == "off":
        return False
    if item.composition in field.members:
        return True
    if len(item.composition.items) <= settings.field.known_elements:
        return True
    return known != "no-relatives" and field.index_of(item.composition) is None


def _of_elements(field: Field, found: Sequence[Reference]) -> list[Reference]:
    """Return structures of the elements that are corners and that no source has."""
    known = {item.composition for item in found}
    items = []
    for member in field.members:
        if member in known or member.n_atoms > 1:
            continue
        items += [
            Reference(name, crystal, member, SOURCE)
            for name, crystal in element_crystals(member.items[0][0])
        ]
    return items


def _of_files(field: Field, source: str) -> tuple[list[Reference], list[str], int]:
    """Return the structures of a source in the field, why others cannot be used, how many are out.

    Raises
    ------
    InputError
        If it cannot be read or has nothing of the field, or if files that somebody has chosen are
        of other compositions.
    """
    found, others, problems = [], list[tuple[str, str]](), list[str]()
    is_chosen = _is_chosen_for_the_field(source)
    try:
        for item in read_source(source):
            if isinstance(item, Unreadable):
                problems.append(str(item.error).rstrip("."))
                continue
            composition = Composition.from_numbers(item.crystal.numbers)
            if field.contains(composition):
                found.append(
                    Reference(
                        item.name, item.crystal, composition, source, item.above_hull, is_chosen
                    )
                )
            else:
                others.append((item.name, composition.formula))
    except InputError as error:
        text = str(error).removeprefix("library: ")
        raise InputError(f"field.references = {source!r}: {text}") from None
    if not found:
        example = f" (the first is {others[0][1]})" if others else ""
        bad = f"; {len(problems)} cannot be used ({problems[0]})" if problems else ""
        raise InputError(
            f"field.references = {source!r}: none of its {len(others)} structures is in the "
            f"field {field.system}{example}{bad}. Correct the path, or leave it out."
        )
    if others and is_chosen:
        names = ", ".join(f"{name} ({formula})" for name, formula in others[:MOST_NAMED])
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        raise InputError(
            f"field.references = {source!r} has structures outside the field {field.system}: "
            f"{names}{more}. Correct them, or move them elsewhere."
        )
    return found, problems, len(others)


def _is_chosen_for_the_field(source: str) -> bool:
    """Return whether somebody has put structures together by hand: a file or a folder of files."""
    path = Path(source)
    is_collection = plain_name(path.name).lower().endswith(COLLECTIONS)
    return path.is_dir() or not (is_archive(path.name) or is_collection)


def _polymorphs(found: Sequence[Reference], field: Field, most: int) -> list[Reference]:
    """Return the structures of each composition in the order of the field.

    All that were chosen for it, and the lowest of the others up to a number of both together.
    """
    by_composition: dict[Composition, list[Reference]] = {}
    for item in found:
        by_composition.setdefault(item.composition, []).append(item)

    def place(composition: Composition) -> tuple[object, ...]:
        is_corner = composition in field.members
        corner = field.members.index(composition) if is_corner else 0
        return (
            not is_corner,
            corner,
            len(composition.items),
            composition.n_atoms,
            key_of(composition.counts),
        )

    def energy(item: Reference) -> float:
        return UNKNOWN_ABOVE_HULL if item.above_hull is None else item.above_hull

    def used(items: list[Reference]) -> list[Reference]:
        others = sorted((item for item in items if not item.is_chosen), key=energy)
        chosen = [item for item in items if item.is_chosen]
        return sorted([*chosen, *others[: max(most - len(chosen), 0)]], key=energy)

    return [
        item
        for composition in sorted(by_composition, key=place)
        for item in used(by_composition[composition])
    ]
