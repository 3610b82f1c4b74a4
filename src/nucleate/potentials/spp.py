"""Proxy potentials derived from known structures: the library and the model it makes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.potentials.basis import Basis, context_of, pair_index
from nucleate.reading import guarded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from nucleate.potentials.model import EnergyModel

_STEP = 0.02
_REMEDY = "Derive it again with `nucleate potentials derive`, or leave the key out."
_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class SppLibrary:
    """Pair potentials of every pair of elements, in arbitrary units of energy.

    The first axis is the context (`nucleate.potentials.basis.CONTEXTS`), which follows from the
    elements of a composition: the same two metals meet differently in an oxide and in an alloy.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers.
    contact : ndarray of float32, shape (n_contexts, n_pairs)
        First-neighbour distance d0 of each pair in Å.
    inner : ndarray of float32, shape (n_contexts, n_pairs)
        Distance in Å below which a wall replaces the fitted curve.
    coefficients : ndarray of float32, shape (n_contexts, n_pairs, n_functions)
        Weights of the B-splines.
    observed : ndarray of int32, shape (n_contexts, n_pairs)
        Structures that held the pair; 0 means the potential is the prior of its class.
    volume, one_body : ndarray of float32, shape (n_contexts, n_elements)
        Expected volume in Å^3 and constant energy of each element.
    volume_stiffness : float
        Strength of ``k N ln(V/V0)^2``.
    basis : Basis
        Form of the potentials.
    provenance : dict
        How it was derived, from what, and what it reached on structures held out.
    """

    elements: tuple[int, ...]
    contact: NDArray[np.float32]
    inner: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    observed: NDArray[np.int32]
    volume: NDArray[np.float32]
    one_body: NDArray[np.float32]
    volume_stiffness: float
    basis: Basis
    provenance: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path | str) -> None:
        """Write the library as a compressed npz file (no pickles)."""
        header = {
            "format": _FORMAT, "basis": asdict(self.basis), "elements": list(self.elements),
            "volume_stiffness": self.volume_stiffness, "provenance": self.provenance,
        }  # fmt: skip
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        with Path(path).open("wb") as handle:
            np.savez_compressed(handle, header=np.array(json.dumps(header)), **arrays)

    @classmethod
    def load(cls, path: Path | str) -> SppLibrary:
        """Read a library.

        Raises
        ------
        InputError
            If the file is not a library of this format.
        """
        with guarded(f"potentials = {path}: a library of proxy potentials", _REMEDY):
            return cls._read(path)

    @classmethod
    def _read(cls, path: Path | str) -> SppLibrary:
        with np.load(path, allow_pickle=False) as data:
            header = json.loads(str(data["header"]))
            arrays = {name: data[name] for name in _ARRAYS}
        if header.get("format") != _FORMAT:
            raise InputError(f"potentials = {path}: format {header.get('format')} is not known.")
        return cls(
            elements=tuple(header["elements"]), basis=Basis(**header["basis"]),
            volume_stiffness=header["volume_stiffness"], provenance=header["provenance"], **arrays,
        )  # fmt: skip

    @property
    def reach(self) -> float:
        """Distance in Å at which every potential ends."""
        return self.basis.cutoff

    @property
    def digest(self) -> str:
        """Short hash of everything that changes energies."""
        sha = hashlib.sha256()
        for name in _ARRAYS:
            sha.update(np.ascontiguousarray(getattr(self, name)).tobytes())
        sha.update(json.dumps([asdict(self.basis), self.volume_stiffness]).encode())
        return sha.hexdigest()[:12]

    def check(self, numbers: Iterable[int]) -> None:
        """Raise an `InputError` if an element is not in the library."""
        missing = sorted({int(z) for z in numbers} - set(self.elements))
        if missing:
            symbols = ", ".join(element(z).symbol for z in missing)
            raise InputError(
                f"the proxy potentials have no pair with {symbols}. Leave the tier spp out, or "
                "derive a library that covers it (nucleate potentials derive)."
            )

    def pair_energy(
        self, a: int, b: int, r: NDArray[np.float64], *, context: int = 0
    ) -> NDArray[np.float64]:
        """Return the potential between two elements (atomic numbers) at distances in Å."""
        from nucleate.potentials.splines import taper

        row = pair_index(self.elements.index(a), self.elements.index(b), len(self.elements))
        d0 = float(self.contact[context, row])
        weights = self.coefficients[context, row].astype(np.float64)

        def fitted(x: NDArray[np.float64]) -> NDArray[np.float64]:
            ratio = x / d0
            curve = self.basis.wall(ratio) + self.basis.functions(ratio) @ weights
            return curve * taper(x, self.basis.taper_start, self.basis.cutoff)

        return with_wall(fitted, r, float(self.inner[context, row]))

    def model(self, numbers: Iterable[int]) -> EnergyModel:
        """Return the compiled model for the elements of these atoms.

        Raises
        ------
        InputError
            If an element is not in the library.
        """
        elements = tuple(sorted({int(z) for z in numbers}))
        self.check(elements)
        return _compiled(self, elements)


_ARRAYS = ("contact", "inner", "coefficients", "observed", "volume", "one_body")


def with_wall(function: Any, r: NDArray[np.float64], inner: float) -> NDArray[np.float64]:
    """Return ``function(r)`` with a cubic wall, joined with two equal derivatives at ``inner``.

    Below ``inner`` the energy is ``U + p s + U'' s^2/2 + c s^3`` with s = inner - r and c such
    that the force never falls below half of p (the force at ``inner``).
    """
    h = 0.02
    low, mid, high = function(np.array([inner - h, inner, inner + h]))
    force, curvature = (low - high) / (2 * h), (low - 2 * mid + high) / h**2
    stiff = 40.0 + max(-force, 0.0) * 20.0
    if curvature < 0.0:
        stiff = max(stiff, curvature**2 / (6.0 * max(force, 0.5)))
    s = np.maximum(inner - r, 0.0)
    wall = mid + force * s + 0.5 * curvature * s**2 + stiff * s**3
    return np.where(r < inner, wall, function(np.maximum(r, inner)))


@lru_cache(maxsize=64)
def _compiled(library: SppLibrary, elements: tuple[int, ...]) -> EnergyModel:
    from nucleate.potentials.kernels import Tables
    from nucleate.potentials.model import EnergyModel
    from nucleate.potentials.splines import spline_table

    context = context_of(np.array(elements))
    n = len(elements)
    pair = np.zeros((n, n), dtype=np.int64)
    splines = []
    for i in range(n):
        for j in range(i, n):
            pair[i, j] = pair[j, i] = len(splines)
            splines.append(
                spline_table(
                    lambda r, a=elements[i], b=elements[j]: library.pair_energy(
                        a, b, r, context=context
                    ),
                    step=_STEP,
                    cutoff=library.basis.cutoff,
                )
            )
    where = [library.elements.index(z) for z in elements]
    tables = Tables(
        pair=pair, spline=np.stack(splines),
        cut2=np.full(len(splines), library.basis.cutoff**2), inverse_step=1.0 / _STEP,
        cutoff=library.basis.cutoff, charge_product=np.zeros((n, n)),
        dispersion=np.zeros((n, n)), alpha=0.0, k_cutoff=0.0,
        volume=library.volume[context, where].astype(np.float64),
        volume_stiffness=float(library.volume_stiffness),
        one_body=library.one_body[context, where].astype(np.float64),
    )  # fmt: skip
    return EnergyModel(elements, tables)


@lru_cache(maxsize=1)
def shipped_library() -> SppLibrary:
    """Return the library that comes with the package."""
    resource = files("nucleate.potentials") / "data" / "spp.npz"
    with as_file(resource) as path:
        return SppLibrary.load(path)
