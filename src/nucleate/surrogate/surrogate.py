"""A fitted surrogate: energies, forces and stresses, a message of about 10 kB, and its level."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.elements import MAX_NUMBER
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError
from nucleate.potentials.source import ClassicalModel
from nucleate.surrogate.descriptors import CUTOFF_ANG, FORMAT, Layout
from nucleate.surrogate.errors import Errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.potentials.model import EnergyModel, Evaluation

DEPTH_EV_PER_ATOM = 0.3
"""eV/atom below the lowest energy learned: anything deeper is an unphysical minimum."""

_MAGIC = b"nucleate surrogate\n"
_REMEDY = "Take a file that `nucleate surrogate show` wrote with this version, or fit it again."


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A linear potential of some elements, fitted to evaluations of another model.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers, ascending.
    weights : ndarray of float64, shape (n_columns,)
        eV, in the order of :class:`~nucleate.surrogate.descriptors.Layout`.
    walls : ndarray of float64, shape (n_elements, n_elements)
        Å, distances below which a steep wall begins.
    lowest : float
        eV/atom, lowest energy learned less the part of the composition alone.
    spread : ndarray of float16, shape (n_directions, n_columns)
        Square root of the covariance of the weights, along its most important directions.
    number : int
        Number of the fit, from 1.
    tier : str
        Name of the tier whose evaluations it has learned.
    n_frames, n_groups : int
        Evaluations and relaxations learned.
    errors : Errors or None
        Of the fit before, on the evaluations that this one has learned besides; of the first one,
        on the relaxations that it held out to choose the ridge.
    provenance : dict
        Whatever the caller wants to keep with it; JSON.
    """

    elements: tuple[int, ...]
    weights: NDArray[np.float64]
    walls: NDArray[np.float64]
    lowest: float
    spread: NDArray[np.float16]
    number: int
    tier: str
    n_frames: int
    n_groups: int
    errors: Errors | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def layout(self) -> Layout:
        """Columns of the weights."""
        return Layout(self.elements)

    @property
    def name(self) -> str:
        """Name of its level of theory, for example ``surrogate fit 3 of chgnet``."""
        return f"surrogate fit {self.number} of {self.tier}"

    @cached_property
    def digest(self) -> str:
        """Short hash of everything that changes energies."""
        sha = hashlib.sha256(f"{FORMAT} {self.elements}".encode())
        sha.update(np.ascontiguousarray(self.weights).tobytes())
        sha.update(np.ascontiguousarray(self.walls).tobytes())
        return sha.hexdigest()[:12]

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory: of this fit alone, so that its energies meet no others."""
        from nucleate import __version__

        return LevelOfTheory(
            code="nucleate", version=__version__, model=self.name, checkpoint=self.digest
        )

    @property
    def reach(self) -> float:
        """Distance in Å beyond which an atom counts as isolated."""
        return CUTOFF_ANG

    def model(self, numbers: Iterable[int]) -> EnergyModel:
        """Return the compiled model, as every classical tier has it.

        Raises
        ------
        InputError
            If the surrogate was not made for one of the elements.
        """
        self.layout.kinds(np.array(sorted({int(z) for z in numbers})))
        return self._model

    @cached_property
    def _model(self) -> EnergyModel:
        from nucleate.potentials.model import EnergyModel
        from nucleate.surrogate.tables import tables_of

        return EnergyModel(self.elements, tables_of(self.layout, self.weights, self.walls))

    def classical(self) -> ClassicalModel:
        """Return what :class:`~nucleate.relax.classical.ClassicalRelaxer` relaxes with."""
        return ClassicalModel(
            self, self.level, self.composition_energies, max_depth=DEPTH_EV_PER_ATOM
        )

    @property
    def composition_energies(self) -> NDArray[np.float64]:
        """eV/atom by atomic number; their mean over a crystal is the lowest energy learned."""
        energies = np.zeros(MAX_NUMBER + 1)
        energies[list(self.elements)] = self.weights[: len(self.elements)] + self.lowest
        return energies

    def evaluate(self, crystal: Crystal) -> Evaluation:
        """Return energy (eV per cell), forces (eV/Å) and stress (eV/Å³) of a crystal.

        Raises
        ------
        InputError
            If the surrogate was not made for one of its elements.
        """
        return self.model(crystal.numbers).evaluate(crystal)

    def is_unphysical(self, crystal: Crystal, energy_ev: float) -> bool:
        """Return whether an energy lies deeper under what was learned than any crystal does."""
        floor = self.composition_energies[crystal.numbers].mean() - DEPTH_EV_PER_ATOM
        return not energy_ev / crystal.n_atoms >= floor

    def leverage(self, crystal: Crystal) -> float:
        """Return how far the energy of a crystal is from what was learned.

        It is the variance of the predicted energy per atom due to the weights, relative to the
        noise assumed for energies (3 meV/atom), along the most important directions: a lower bound
        of that of :meth:`nucleate.surrogate.fit.Fit.leverage`, which knows all directions.
        """
        row = self.layout.energy_row(crystal) / crystal.n_atoms
        along = self.spread.astype(np.float64) @ row
        return float(along @ along)

    def to_bytes(self) -> bytes:
        """Return a message of about 10 kB that gives back the same bits."""
        head = {
            "format": FORMAT, "elements": list(self.elements), "lowest": self.lowest,
            "number": self.number, "tier": self.tier, "n_frames": self.n_frames,
            "n_groups": self.n_groups, "provenance": self.provenance,
            "errors": None if self.errors is None else asdict(self.errors),
            "n_directions": len(self.spread),
        }  # fmt: skip
        text = json.dumps(head).encode()
        body = np.concatenate([self.weights, self.walls.ravel()]).astype("<f8").tobytes()
        body = struct.pack("<I", len(text)) + text + body + self.spread.astype("<f2").tobytes()
        return _MAGIC + hashlib.sha256(body).digest()[:8] + body

    @classmethod
    def from_bytes(cls, message: bytes) -> Surrogate:
        """Undo :meth:`to_bytes`.

        Raises
        ------
        InputError
            If it is no such message, is damaged, or belongs to another version.
        """
        size = len(_MAGIC)
        if not message.startswith(_MAGIC):
            raise InputError(f"these {len(message)} bytes are no surrogate. {_REMEDY}")
        body = message[size + 8 :]
        if hashlib.sha256(body).digest()[:8] != message[size : size + 8]:
            raise InputError(f"the surrogate is damaged: its checksum is wrong. {_REMEDY}")
        length = struct.unpack("<I", body[:4])[0]
        head = json.loads(body[4 : 4 + length])
        if head["format"] != FORMAT:
            raise InputError(
                f"the surrogate has the format {head['format']}, and this version reads "
                f"{FORMAT}. {_REMEDY}"
            )
        return cls._from_parts(head, body[4 + length :])

    @classmethod
    def _from_parts(cls, head: dict[str, Any], body: bytes) -> Surrogate:
        layout = Layout(tuple(head["elements"]))
        n, m = layout.n_elements, head["n_directions"]
        size = layout.n_columns + n * n
        values = np.frombuffer(body, "<f8", size)
        spread = np.frombuffer(body, "<f2", offset=8 * size).reshape(m, layout.n_columns)
        errors = head["errors"]
        return cls(
            elements=layout.elements,
            weights=values[: layout.n_columns].copy(),
            walls=values[layout.n_columns :].reshape(n, n).copy(),
            spread=spread.copy(),
            errors=None if errors is None else Errors(**errors),
            **{key: head[key] for key in _PLAIN},
        )

    def save(self, path: Path | str) -> None:
        """Write it to a file; raises InputError if it cannot be written."""
        try:
            Path(path).write_bytes(self.to_bytes())
        except OSError as error:
            raise InputError(
                f"weights = {path}: {error.strerror}. Give a file in a folder that exists."
            ) from error

    @classmethod
    def load(cls, path: Path | str) -> Surrogate:
        """Read a file that :meth:`save` wrote.

        Raises
        ------
        InputError
            If it cannot be read, or is no surrogate of this version.
        """
        try:
            message = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"file = {path}: {error.strerror}. {_REMEDY}") from error
        try:
            return cls.from_bytes(message)
        except InputError as error:
            raise InputError(f"file = {path}: {error}") from error


_PLAIN = ("lowest", "number", "tier", "n_frames", "n_groups", "provenance")
