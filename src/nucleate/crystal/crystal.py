"""A periodic crystal as frozen arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import ArrayLike, NDArray
    from pymatgen.core import Structure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Crystal:
    """Atoms in a periodic cell.

    Attributes
    ----------
    numbers : ndarray of int64, shape (n_atoms,)
        Atomic numbers.
    cell : ndarray of float64, shape (3, 3)
        Rows are the lattice vectors in Å, as in ASE.
    scaled : ndarray of float64, shape (n_atoms, 3)
        Fractional coordinates, kept as given (not wrapped).

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """

    numbers: NDArray[np.int64]
    cell: NDArray[np.float64]
    scaled: NDArray[np.float64]

    def __post_init__(self) -> None:
        numbers = _frozen(self.numbers, np.int64)
        cell = _frozen(self.cell, np.float64)
        scaled = _frozen(self.scaled, np.float64)
        if numbers.ndim != 1 or cell.shape != (3, 3) or scaled.shape != (numbers.size, 3):
            raise ValueError(
                f"numbers {numbers.shape}, cell {cell.shape} and scaled {scaled.shape} "
                "must have the shapes (n,), (3, 3) and (n, 3)"
            )
        object.__setattr__(self, "numbers", numbers)
        object.__setattr__(self, "cell", cell)
        object.__setattr__(self, "scaled", scaled)

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the cell."""
        return int(self.numbers.size)

    @property
    def volume(self) -> float:
        """Cell volume in Å³."""
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = self.cell.tolist()
        return abs(ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx))

    @property
    def volume_per_atom(self) -> float:
        """Volume in Å³ per atom."""
        return self.volume / self.n_atoms

    @property
    def positions(self) -> NDArray[np.float64]:
        """Cartesian positions in Å, shape (n_atoms, 3)."""
        return self.scaled @ self.cell

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Lengths of the lattice vectors in Å, shape (3,)."""
        return np.linalg.norm(self.cell, axis=1)

    @property
    def angles(self) -> NDArray[np.float64]:
        """Cell angles alpha, beta, gamma in degrees, shape (3,)."""
        unit = self.cell / self.lengths[:, None]
        cosines = np.array([unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]])
        return np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))

    @property
    def formula(self) -> str:
        """Formula of the whole cell in chemical order, for example ``Ca12Ti8O28``."""
        from nucleate.crystal.formula import counts_of, formula_text

        return formula_text(counts_of(self.numbers))

    @property
    def reduced_formula(self) -> str:
        """Formula of one formula unit in chemical order, for example ``Ca3Ti2O7``."""
        from nucleate.crystal.formula import counts_of, formula_text, reduced

        return formula_text(reduced(counts_of(self.numbers))[0])

    @property
    def formula_units(self) -> int:
        """Number of formula units in the cell."""
        from nucleate.crystal.formula import counts_of, reduced

        return reduced(counts_of(self.numbers))[1]

    def __eq__(self, other: object) -> bool:
        """Return whether numbers, cell and fractional coordinates are exactly the same."""
        if not isinstance(other, Crystal):
            return NotImplemented
        return all(
            np.array_equal(mine, theirs)
            for mine, theirs in zip(self._arrays, other._arrays, strict=True)
        )

    def __hash__(self) -> int:
        # adding 0 makes -0.0, which equals 0.0, the same bytes
        return hash(tuple((array + 0).tobytes() for array in self._arrays))

    def __repr__(self) -> str:
        if self.n_atoms == 0:
            return "Crystal(no atoms)"
        return f"Crystal({self.formula}, {self.n_atoms} atoms, {self.volume_per_atom:.2f} Å³/atom)"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: formula, size, lengths and angles."""
        lengths = ", ".join(f"{value:.3f}" for value in self.lengths)
        angles = ", ".join(f"{value:.1f}" for value in self.angles)
        return (
            f"<b>{self.formula}</b>, {self.n_atoms} atoms, {self.volume:.2f} Å³<br>"
            f"a, b, c = {lengths} Å<br>α, β, γ = {angles}°"
        )

    @property
    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self.numbers, self.cell, self.scaled

    def replace(self, **changes: Any) -> Crystal:
        """Return a copy with ``numbers``, ``cell`` or ``scaled`` replaced."""
        return replace(self, **changes)

    def with_volume(self, volume: float) -> Crystal:
        """Return a copy with the cell scaled uniformly to a volume in Å³."""
        return self.replace(cell=self.cell * (volume / self.volume) ** (1.0 / 3.0))

    def wrapped(self) -> Crystal:
        """Return a copy with fractional coordinates in [0, 1)."""
        wrapped = self.scaled - np.floor(self.scaled)
        wrapped[wrapped >= 1.0] = 0.0
        return self.replace(scaled=wrapped)

    @classmethod
    def from_positions(cls, numbers: ArrayLike, cell: ArrayLike, positions: ArrayLike) -> Crystal:
        """Build a crystal from Cartesian positions in Å, shape (n_atoms, 3)."""
        box = np.asarray(cell, dtype=np.float64)
        scaled = np.linalg.solve(box.T, np.asarray(positions, dtype=np.float64).T).T
        return cls(np.asarray(numbers), box, scaled.astype(np.float64))

    @classmethod
    def from_ase(cls, atoms: Atoms) -> Crystal:
        """Build a crystal from ASE atoms, whose cell must have three vectors."""
        return cls(atoms.numbers, atoms.cell.array, atoms.get_scaled_positions(wrap=False))

    def to_ase(self) -> Atoms:
        """Return ASE atoms, periodic in all directions."""
        from ase import Atoms

        return Atoms(numbers=self.numbers, cell=self.cell, scaled_positions=self.scaled, pbc=True)

    @classmethod
    def from_pymatgen(cls, structure: Structure) -> Crystal:
        """Build a crystal from an ordered pymatgen structure."""
        return cls(
            np.array(structure.atomic_numbers), structure.lattice.matrix, structure.frac_coords
        )

    def to_pymatgen(self) -> Structure:
        """Return a pymatgen structure (needs ``pymatgen-core``)."""
        from pymatgen.core import Structure

        return Structure(self.cell, self.numbers.tolist(), self.scaled)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return JSON-ready lists that give back the same floats."""
        return {
            "numbers": self.numbers.tolist(),
            "cell": self.cell.tolist(),
            "scaled": self.scaled.tolist(),
        }

    @classmethod
    def from_dict(cls, data: dict[str, list[Any]]) -> Crystal:
        """Undo :meth:`to_dict`."""
        return cls(
            np.array(data["numbers"], dtype=np.int64),
            np.array(data["cell"], dtype=np.float64),
            np.array(data["scaled"], dtype=np.float64).reshape(-1, 3),
        )


def _frozen(values: ArrayLike, dtype: type) -> NDArray[Any]:
    array = np.array(values, dtype=dtype, order="C")
    array.setflags(write=False)
    return array
