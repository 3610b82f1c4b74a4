"""The search space: what a crystal must satisfy before a potential sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import MOST_ATOMS_IN_A_CELL
from nucleate.crystal.contacts import minimum_distances
from nucleate.crystal.distances import is_solid_cell
from nucleate.crystal.elements import element
from nucleate.crystal.motif import Motif
from nucleate.crystal.packing import check_packing
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.composition import Composition
    from nucleate.crystal.crystal import Crystal

DEFAULT_MAX_ATOMS = 50
DEFAULT_VOLUME_WINDOW = (0.5, 3.0)

LARGEST_VOLUME_RATIO = 1e4
"""Upper limit of the volume window."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchSpace:
    """The crystals that a search may visit; build it with :meth:`create`.

    Attributes
    ----------
    composition : Composition
        What is searched.
    formula_units : tuple of int
        Allowed numbers of formula units in the cell, ascending.
    max_atoms : int
        Maximum number of atoms in a cell.
    volume_window : (float, float)
        Allowed volume per atom, relative to the expected one.
    contact_scale : float
        Factor on the minimum distances (0.8 of the shortest contacts of known structures).
    isolated_cutoff : float
        Å; an atom without a neighbour this near is isolated.
    vacancy_spacing, vacancy_exclusion : float
        Å; the grid on which moves look for vacant sites.
    min_distances : ndarray of float64, shape (104, 104)
        Minimum distance in Å allowed between two elements, indexed by atomic numbers.
    firm_distances : ndarray of float64, shape (104, 104)
        Minimum distances in Å that the user gave, which moves must keep as well; 0 for others.
    space_groups : frozenset of int or None
        Space groups of new structures and children, within 0.1 Å; None means all.
    motif : Motif or None
        What new structures and children contain.
    compression : float
        Expected volume under the pressure of the search, relative to that at 0 GPa.
    rest : SearchSpace or None
        The same at 0 GPa; None where it is this one.
    """

    composition: Composition
    formula_units: tuple[int, ...]
    max_atoms: int
    volume_window: tuple[float, float] = DEFAULT_VOLUME_WINDOW
    contact_scale: float = 1.0
    isolated_cutoff: float = 6.0
    vacancy_spacing: float = 0.75
    vacancy_exclusion: float = 1.0
    min_distances: NDArray[np.float64] = field(repr=False, default_factory=lambda: np.empty(0))
    firm_distances: NDArray[np.float64] = field(
        repr=False, default_factory=lambda: np.zeros((104, 104))
    )
    space_groups: frozenset[int] | None = None
    motif: Motif | None = None
    compression: float = 1.0
    rest: SearchSpace | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        table = np.array(self.min_distances, dtype=np.float64)
        table.setflags(write=False)
        object.__setattr__(self, "min_distances", table)

    @classmethod
    def create(
        cls,
        composition: Composition,
        *,
        max_atoms: int | None = None,
        formula_units: Iterable[int] | None = None,
        volume_window: tuple[float, float] = DEFAULT_VOLUME_WINDOW,
        contact_scale: float = 1.0,
        pair_distances: Mapping[str, float] | None = None,
        isolated_cutoff: float = 6.0,
        vacancy_spacing: float = 0.75,
        vacancy_exclusion: float = 1.0,
        space_groups: Iterable[int | str] | None = None,
        motif: str | Path | None = None,
        compression: float = 1.0,
    ) -> SearchSpace:
        """Check the limits and build the space.

        Parameters
        ----------
        composition
            What is searched.
        max_atoms
            Maximum number of atoms in a cell; default 50, or what ``formula_units`` need.
        formula_units
            Allowed numbers of formula units; default every number that fits.
        volume_window
            Smallest and largest volume per atom relative to the expected one.
        contact_scale
            Factor on the minimum distances (0.8 of the shortest contacts of known structures).
        pair_distances
            Minimum distances in Å by pair, for example ``{"O-O": 2.0}``; not scaled.
        isolated_cutoff, vacancy_spacing, vacancy_exclusion
            Å.
        space_groups
            Numbers and ranges (``"195-230"``) of the space groups of new structures.
        motif
            File of a molecule that new structures and children contain, as often as a formula unit
            has the atoms.
        compression
            Expected volume under the pressure of the search, relative to that at 0 GPa. Its cube
            root multiplies the tabulated minimum distances.

        Raises
        ------
        InputError
            If a value cannot be used; the message names it and the remedy.
        """
        units, limit = _sizes(composition, max_atoms, formula_units)
        low, high = volume_window
        if not 0.0 <= low < high < LARGEST_VOLUME_RATIO:
            raise InputError(
                f"volume_window = [{low}, {high}]: the first must be smaller than the second and "
                f"not negative, the second below {LARGEST_VOLUME_RATIO:g}. The default is "
                f"{list(DEFAULT_VOLUME_WINDOW)}."
            )
        for key, value in (
            ("contact_scale", contact_scale),
            ("isolated_cutoff", isolated_cutoff),
            ("vacancy_spacing", vacancy_spacing),
            ("vacancy_exclusion", vacancy_exclusion),
            ("compression", compression),
        ):
            if not 0.0 < value < 100.0:
                raise InputError(f"{key} = {value}: give a positive number below 100.")
        table = minimum_distances(composition.elements, scale=contact_scale)
        if compression != 1.0:
            table *= compression ** (1.0 / 3.0)
        pairs = pair_distances or {}
        _override(table, composition, pairs)
        firm = np.zeros_like(table)
        _override(firm, composition, pairs)
        rigid = None if motif is None else Motif.of_file(motif, composition)
        if rigid is not None:
            rigid.check(table)
        space = cls(
            composition=composition,
            formula_units=units,
            max_atoms=limit,
            volume_window=(float(low), float(high)),
            contact_scale=contact_scale,
            isolated_cutoff=isolated_cutoff,
            vacancy_spacing=vacancy_spacing,
            vacancy_exclusion=vacancy_exclusion,
            min_distances=table,
            firm_distances=firm,
            motif=rigid,
            space_groups=None if space_groups is None else space_group_numbers(space_groups),
            compression=float(compression),
        )
        check_packing(composition, pairs, space.volume_bounds[1])
        return space if compression == 1.0 else replace(space, rest=_at_rest(space, pairs))

    @property
    def start_ratio(self) -> float:
        """Volume of a start under the pressure, relative to that at 0 GPa."""
        return float(np.sqrt(self.compression))

    def at_rest(self) -> SearchSpace:
        """Return the space at 0 GPa in which generators work; :meth:`pressed` leads back."""
        return self.rest or self

    def pressed(self, crystal: Crystal) -> Crystal:
        """Return a crystal of :meth:`at_rest` as a start under the pressure.

        Its volume is multiplied by the square root of the compression: a random crystal is better
        off a little too large, as a model may fall without end where atoms are pressed together.
        """
        if self.compression == 1.0:
            return crystal
        return crystal.with_volume(crystal.volume * self.start_ratio)

    @property
    def volume_per_atom(self) -> float:
        """Expected volume in Å³ per atom under the pressure of the search."""
        return self.composition.volume_per_atom * self.compression

    @property
    def volume_bounds(self) -> tuple[float, float]:
        """Smallest and largest allowed volume in Å³ per atom."""
        expected = self.volume_per_atom
        return self.volume_window[0] * expected, self.volume_window[1] * expected

    def rejection(self, crystal: Crystal, *, check_volume: bool = True) -> str | None:
        """Return why a crystal is not allowed, or None if it is.

        The answer does not depend on the choice of cell or on wrapping. One of
        ``not-finite``, ``flat-cell``, ``composition``, ``too-many-atoms``, ``formula-units``,
        ``volume``, ``contact``, ``isolated-atom``, ``space-group``, ``motif``.

        Parameters
        ----------
        crystal
            Any cell; not changed.
        check_volume
            Whether the volume window counts.
        """
        cell = crystal.cell
        if not np.isfinite(crystal.scaled).all():
            return "not-finite"
        if not is_solid_cell(cell):
            return "flat-cell" if np.isfinite(cell).all() else "not-finite"
        reason = self.size_rejection(crystal.numbers)
        if reason is not None:
            return reason
        if check_volume:
            low, high = self.volume_bounds
            if not low <= crystal.volume_per_atom <= high:
                return "volume"
        reason = self.contact_rejection(crystal.numbers, cell, crystal.scaled)
        return reason or self._shape_rejection(crystal)

    def _shape_rejection(self, crystal: Crystal) -> str | None:
        """Return ``space-group``, ``motif`` or None."""
        if self.space_groups is not None:
            from nucleate.crystal.symmetry import SYMPREC_LADDER, space_group

            if space_group(crystal, SYMPREC_LADDER[0])[0] not in self.space_groups:
                return "space-group"
        if self.motif is not None:
            units = self.composition.formula_units_of(crystal.numbers) or 0
            if not self.motif.held_by(crystal, units):
                return "motif"
        return None

    def size_rejection(self, numbers: NDArray[np.int64]) -> str | None:
        """Return ``composition``, ``too-many-atoms``, ``formula-units`` or None.

        A smaller cell of an allowed one is allowed: two formula units are where four are.
        """
        units = self.composition.formula_units_of(numbers)
        if units is None:
            return "composition"
        if numbers.size > self.max_atoms:
            return "too-many-atoms"
        if all(allowed % units for allowed in self.formula_units):
            return "formula-units"
        return None

    def contact_rejection(
        self,
        numbers: NDArray[np.int64],
        cell: NDArray[np.float64],
        scaled: NDArray[np.float64],
    ) -> str | None:
        """Return ``contact``, ``isolated-atom`` or None for raw arrays (the fast path).

        Parameters
        ----------
        numbers
            Atomic numbers (int64), shape (n,).
        cell
            Rows are the lattice vectors in Å (float64, C order), shape (3, 3).
        scaled
            Fractional coordinates (float64, C order), shape (n, 3), not necessarily wrapped.
        """
        from nucleate.crystal.periodic import CLASH, CLEAR, inspect

        # Writable copies: one compiled version serves frozen and raw arrays.
        code = inspect(
            np.array(numbers),
            np.array(cell),
            np.array(scaled),
            self.min_distances,
            self.isolated_cutoff,
        )
        if code == CLEAR:
            return None
        return "contact" if code == CLASH else "isolated-atom"


def _at_rest(space: SearchSpace, pair_distances: Mapping[str, float]) -> SearchSpace:
    """Return a space at 0 GPa; lengths in Å that the user gave hold after the compression."""
    stretch = space.start_ratio ** (-1.0 / 3.0)
    table = minimum_distances(space.composition.elements, scale=space.contact_scale)
    longer = {pair: min(stretch * value, 10.0) for pair, value in pair_distances.items()}
    _override(table, space.composition, longer)
    return replace(
        space,
        min_distances=table,
        isolated_cutoff=space.isolated_cutoff * stretch,
        compression=1.0,
    )


def space_group_numbers(items: Iterable[int | str]) -> frozenset[int]:
    """Return the numbers that numbers and ranges such as ``"195-230"`` stand for.

    Raises
    ------
    InputError
        If one is not from 1 to 230, or there is none.
    """
    found: set[int] = set()
    for item in items:
        ends = str(item).strip().split("-")
        numbers = [int(end) for end in ends if end.strip().isascii() and end.strip().isdecimal()]
        whole = len(numbers) == len(ends) <= 2 and not isinstance(item, bool)
        if not whole or not 1 <= numbers[0] <= numbers[-1] <= 230:
            raise InputError(
                f"space_groups: {str(item)[:40]!r} is not a space group. Give numbers from 1 to "
                "230 and ranges such as '195-230'."
            )
        found.update(range(numbers[0], numbers[-1] + 1))
    if not found:
        raise InputError("space_groups is empty. Give at least one number, or leave it out.")
    return frozenset(found)


def _sizes(
    composition: Composition, max_atoms: int | None, formula_units: Iterable[int] | None
) -> tuple[tuple[int, ...], int]:
    size = composition.n_atoms
    if formula_units is None:
        limit = max(DEFAULT_MAX_ATOMS, size) if max_atoms is None else int(max_atoms)
        return composition.allowed_formula_units(limit), limit
    given = list(islice(formula_units, MOST_ATOMS_IN_A_CELL + 1))
    if len(given) > MOST_ATOMS_IN_A_CELL or any(unit > MOST_ATOMS_IN_A_CELL for unit in given):
        raise InputError(
            f"formula_units: a number is larger than {MOST_ATOMS_IN_A_CELL}, which no search can "
            "treat. Give numbers such as [1, 2, 4]."
        )
    units = tuple(sorted(set(given)))
    if not units or any(unit < 1 or unit != int(unit) for unit in units):
        raise InputError(
            f"formula_units = {list(units)[:10]}: give one or more positive whole numbers, such as "
            "[1, 2, 4]."
        )
    limit = units[-1] * size if max_atoms is None else int(max_atoms)
    composition.allowed_formula_units(limit)
    if units[-1] * size > limit:
        raise InputError(
            f"formula_units = {list(units)}: {units[-1]} formula units of {composition.formula} "
            f"are {units[-1] * size} atoms, more than max_atoms = {limit}. Raise max_atoms to "
            f"{units[-1] * size} or leave out every number above {limit // size}."
        )
    return units, limit


def _override(
    table: NDArray[np.float64], composition: Composition, pair_distances: Mapping[str, float]
) -> None:
    for pair, distance in pair_distances.items():
        ends = pair.split("-")
        turned = "-".join(reversed(ends))
        if pair_distances.get(turned, distance) != distance:
            raise InputError(
                f"min_distances: {pair} = {distance} and {turned} = {pair_distances[turned]} are "
                "the same pair. Give it once."
            )
        if len(ends) != 2 or any(end not in composition.counts for end in ends):
            elements = ", ".join(composition.counts)
            raise InputError(
                f"min_distances: {pair!r} is not a pair of the elements {elements}. Write it "
                "like 'O-O'."
            )
        if not 0.0 <= distance <= 10.0:
            raise InputError(f"min_distances: {pair} = {distance} Å must lie between 0 and 10 Å.")
        first, second = (element(end).number for end in ends)
        table[first, second] = table[second, first] = distance
