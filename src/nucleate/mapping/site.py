"""A composition of a map: how far its run is, and the lowest energy in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from nucleate.crystal.composition import Composition
from nucleate.crystal.elements import is_element
from nucleate.errors import InputError
from nucleate.mapping.damage import UNREADABLE, damage_of
from nucleate.names import is_safe_name
from nucleate.relax.outcome import Failed
from nucleate.run.store import Store
from nucleate.search.polished import POLISHED
from nucleate.text import in_a_line

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from nucleate.crystal.crystal import Crystal
    from nucleate.generate.pool import RankedPool
    from nucleate.mapping.comparable import Standard
    from nucleate.mapping.field import Field
    from nucleate.search.record import Record

EARLIER = "earlier"
"""Origin of a composition that was searched before the limits of the field excluded it."""

OUTSIDE = "outside of the limits of the field now"

COMPOSITIONS = "compositions"
"""Folder of a map in which each composition has its run folder, named by :func:`name_of`."""


@dataclass(slots=True)
class Site:
    """The state of the run of one composition.

    Attributes
    ----------
    composition : Composition
    folder : Path
        Its run folder, which need not exist yet.
    n_structures, n_failed : int
        Structures that are finished, and those of them that have no energy on the last tier.
    n_visits : int
        How often the map has searched here.
    best : float or None
        Lowest enthalpy in eV/atom of the last tier.
    best_number : int or None
        Record that has it.
    best_crystal : Crystal or None
        Its geometry, once somebody has asked for it.
    history : list of (int, float)
        After how many structures the lowest enthalpy fell, and to what.
    sizes : set of int
        Numbers of atoms of the structures that were tried.
    core_s : float
        Processor time in seconds.
    closed : str
        Why nothing more is searched here; empty while something may be.
    errors : Counter of str
        How often structures without an energy failed in which way, in words.
    is_damaged : bool
        Whether its run cannot be read, or is not comparable; ``closed`` says what to do.
    pools : dict
        Pools of the generators of its run, which need not be made again at the next visit.
    """

    composition: Composition
    folder: Path
    n_structures: int = 0
    n_failed: int = 0
    n_visits: int = 0
    best: float | None = None
    best_number: int | None = None
    best_crystal: Crystal | None = None
    history: list[tuple[int, float]] = field(default_factory=list)
    sizes: set[int] = field(default_factory=set)
    core_s: float = 0.0
    closed: str = ""
    errors: Counter[str] = field(default_factory=Counter)
    is_damaged: bool = False
    pools: dict[int, RankedPool] = field(default_factory=dict, repr=False)
    _examples: dict[str, str] = field(default_factory=dict, repr=False)
    _seen: set[int] = field(default_factory=set, repr=False)

    @property
    def formula(self) -> str:
        """Reduced formula in the order of the field."""
        return self.composition.formula

    @property
    def is_blank(self) -> bool:
        """Whether structures were tried and none has an energy."""
        return self.best is None and (self.n_structures > 0 or bool(self.closed))

    @property
    def why(self) -> str:
        """Why nothing more is searched here, and of a composition without any energy, its errors.

        The most frequent error stands for all.
        """
        if self.best is not None or not self.errors:
            return self.closed
        ((error, count),) = self.errors.most_common(1)
        text = f"{count} of {self.n_structures} structures: {error}"
        return text if not self.closed or self.is_damaged else f"{text} ({self.closed})"

    def note(self, number: int, enthalpy: float | None) -> bool:
        """Take note of a finished structure; return whether it is the lowest."""
        self.n_structures += 1
        if enthalpy is None:
            self.n_failed += 1
            return False
        if self.best is not None and enthalpy >= self.best:
            return False
        self.best, self.best_number, self.best_crystal = enthalpy, number, None
        self.history.append((self.n_structures, enthalpy))
        return True

    def note_record(self, record: Record, tier: str) -> bool:
        """Take note of a record; one that no tier has seen, or that is known, does not count."""
        if not record.outcomes or record.number in self._seen:
            return False
        self._seen.add(record.number)
        self.sizes.add(record.candidate.crystal.n_atoms)
        relaxed = record.relaxed_by(tier)
        if relaxed is None and record.failure is not None:
            failure = record.failure.outcome
            if isinstance(failure, Failed):
                self._note_failure(failure.reason, failure.message)
        is_lowest = self.note(record.number, None if relaxed is None else relaxed.enthalpy_per_atom)
        if is_lowest and relaxed is not None:
            self.best_crystal = relaxed.crystal
        return is_lowest

    def _note_failure(self, reason: str, message: str, count: int = 1) -> None:
        """Count a failure; the first message of each reason stands for all."""
        first = [str(reason), *message.splitlines()[:1]]
        text = self._examples.setdefault(str(reason), in_a_line(": ".join(filter(None, first))))
        self.errors[text] += count

    def read(self, standard: Standard) -> None:
        """Take note of what the store of the run holds.

        Parameters
        ----------
        standard
            Last tier and pressure of the map. Structures that were polished count with their
            polished enthalpy, which is of the same level of theory. A store that cannot be read, or
            that is of another level, leaves a gap: see :meth:`damage`.
        """
        if not Store.exists(self.folder):
            return
        try:
            self._read(standard)
        except UNREADABLE as error:
            self.damage(error)

    def damage(self, error: BaseException) -> None:
        """Let the run count for nothing, as it cannot be used; ``error`` says why."""
        self._forget()
        self.core_s = 0.0
        self.is_damaged, self.closed = True, damage_of(self.folder, error)

    def crystal(self) -> Crystal:
        """Return the geometry of the lowest structure, read from the run if necessary.

        Raises
        ------
        InputError
            If the run cannot be read; it counts for nothing any more.
        """
        if self.best_crystal is None:
            assert self.best_number is not None
            try:
                with Store.read(self.folder) as store:
                    self.best_crystal = store.records_of([self.best_number])[0].crystal
            except UNREADABLE as error:
                self.damage(error)
                raise InputError(self.closed) from None
        return self.best_crystal

    def _forget(self) -> None:
        self.n_structures = self.n_failed = 0
        self.best = self.best_number = self.best_crystal = None
        self.history, self.sizes, self._seen = [], set(), set()
        self.errors, self._examples = Counter(), {}

    def _read(self, standard: Standard) -> None:
        found: dict[int, float | None] = {}
        sizes: set[int] = set()
        with Store.read(self.folder) as store:
            standard.check(store.meta, self.composition, self.folder)
            for number, name, status, _, enthalpy, n_atoms, _ in store.summary_rows():
                if name is None:
                    continue
                found.setdefault(number, None)
                if n_atoms:
                    sizes.add(n_atoms)
                if status == "relaxed" and (name == standard.name or name in POLISHED):
                    value, before = enthalpy / n_atoms, found[number]
                    found[number] = value if before is None else min(before, value)
            self.core_s = store.times()[1] or 0.0
            has_energy = any(value is not None for value in found.values())
            failures = [] if has_energy else list(store.failure_examples())
        self._forget()
        self.sizes, self._seen = sizes, set(found)
        for number in sorted(found):
            self.note(number, found[number])
        for _, reason, count, _, message in failures:
            self._note_failure(reason, message, count)


def with_earlier(field: Field, folder: Path) -> Field:
    """Return a field with the compositions of the folder that are outside of its limits now.

    A window that was narrowed later does not make what was found outside of it unknown: it stays in
    the hull, and nothing more is searched there.

    Parameters
    ----------
    field
        The field by the present input.
    folder
        The folder of the map.
    """
    found = []
    for path in sorted((folder / COMPOSITIONS).glob("*")):
        if not Store.exists(path):
            continue
        try:
            composition = Composition.from_formula(path.name)
        except InputError:
            continue
        if field.index_of(composition) is None and field.contains(composition):
            found.append(composition)
    return replace(
        field,
        compositions=(*field.compositions, *found),
        origins=(*field.origins, *([EARLIER] * len(found))),
    )


def read_sites(field: Field, folder: Path, standard: Standard) -> list[Site]:
    """Return the compositions of a map as far as their runs are.

    Parameters
    ----------
    field
        The compositions.
    folder
        Of the map.
    standard
        What runs must have computed to count.
    """
    sites = []
    made = {path.name for path in (folder / COMPOSITIONS).glob("*")}
    for composition, origin in zip(field.compositions, field.origins, strict=True):
        site = Site(composition, folder_of(composition, folder / COMPOSITIONS, made))
        site.read(standard)
        if origin == EARLIER and not site.is_damaged:
            site.closed = OUTSIDE
        sites.append(site)
    return sites


def folder_of(composition: Composition, folder: Path, made: Collection[str] = ()) -> Path:
    """Return where the run of a composition is.

    Parameters
    ----------
    composition
        Of the field.
    folder
        That of all of them.
    made
        Names of those that exist: an earlier version took the plain formula.
    """
    plain = composition.formula
    return folder / (plain if plain in made else name_of(composition))


def name_of(composition: Composition) -> str:
    """Return a formula that names one file on every system, also where Co and CO are one name.

    A count of 1 is written where a symbol and the next would read as another element.

    >>> [name_of(Composition.from_formula(text)) for text in ("SrTiO3", "CO", "CoN")]
    ['SrTiO3', 'C1O', 'Co1N1']
    """
    items = composition.items
    after = [symbol[0].lower() for symbol, _ in items[1:]] + [""]
    misread = [
        c == 1 and n != "" and is_element(s + n) for (s, c), n in zip(items, after, strict=True)
    ]
    plain = "".join(
        s + (str(c) if c > 1 or is_read_wrong else "")
        for (s, c), is_read_wrong in zip(items, misread, strict=True)
    )
    return plain if is_safe_name(plain) else "".join(f"{s}{c}" for s, c in items)
