"""Relaxed energies of small decorations, kept in a file, and the expansion fitted to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.exact.decoration import Decoration, decorations, lowest, stays_on_lattice
from nucleate.exact.fit_expansion import fit
from nucleate.exact.superlattices import parent_lattice

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.exact.certificate import Certificate
    from nucleate.exact.expansion import ClusterExpansion

RelaxMany = Callable[[Sequence[Crystal]], "list[tuple[Crystal, float] | None]"]
"""Returns the relaxed crystals with their energies in eV per atom; None where that failed."""

LOWEST = 10
"""Of the decorations that a fit finds lowest, how many must be among those it was fitted to."""

_CHUNK = 8
FILE = "fit.jsonl"


class Training:
    """Decorations with relaxed energies; more are added where an expansion finds low ones.

    The decorations of the smallest supercells, of all compositions of the elements, are relaxed
    first. Those that leave the lattice are left out. Energies are kept in a file, and training
    that was interrupted continues there.

    Parameters
    ----------
    composition
        Whose elements are used.
    lattice
        See :func:`nucleate.exact.superlattices.parent_lattice`.
    relax
        Computes energies.
    model
        Its name.
    structures
        How many decorations are relaxed at least; all of a size are taken.
    folder
        Where the energies are kept.

    Attributes
    ----------
    known : dict
        Energies in eV per atom by the key of the decoration; None for those that were left out.

    Raises
    ------
    InputError
        If the folder holds energies of another model or lattice.
    """

    def __init__(
        self,
        composition: Composition,
        lattice: str,
        relax: RelaxMany,
        *,
        model: str,
        structures: int,
        folder: Path,
    ) -> None:
        self._symbols = [element(z).symbol for z in sorted(composition.elements)]
        self._parent = parent_lattice(lattice, composition.volume_per_atom)
        self._relax, self._model, self._path = relax, model, folder / FILE
        head = {"fit": model, "lattice": lattice, "elements": self._symbols}
        self.known = _read(self._path, head)
        self._samples: dict[str, Decoration] = {}
        self.add(decorations(self._parent, len(self._symbols), structures))

    def add(self, samples: Sequence[Decoration]) -> None:
        """Relax decorations whose energies are not known, and keep them."""
        self._samples |= {sample.key: sample for sample in samples}
        missing = [sample for sample in samples if sample.key not in self.known]
        for place in range(0, len(missing), _CHUNK):
            chunk = missing[place : place + _CHUNK]
            starts = [
                sample.crystal(self._parent, self._symbols, _volume(sample, self._symbols))
                for sample in chunk
            ]
            entries = [
                {"key": sample.key, "energy": _energy(start, end)}
                for sample, start, end in zip(chunk, starts, self._relax(starts), strict=True)
            ]
            self.known |= {str(entry["key"]): entry["energy"] for entry in entries}
            with self._path.open("a", encoding="utf-8") as handle:
                handle.writelines(json.dumps(entry) + "\n" for entry in entries)

    def expansion(self) -> ClusterExpansion:
        """Return the cluster expansion; raises `InputError` where there are too few energies."""
        good = [s for s in self._samples.values() if self.known[s.key] is not None]
        energies = np.array([self.known[sample.key] for sample in good])
        return fit(self._parent, self._symbols, good, energies, model=self._model)

    def unknown(self, certificate: Certificate) -> list[Decoration]:
        """Return those of the lowest decorations of a certificate whose energy is not known."""
        first = islice(lowest(certificate.proofs, self._parent, {}), LOWEST)
        return [item.decoration for item in first if item.decoration.key not in self.known]

    def in_words(self, expansion: ClusterExpansion, rounds: int, left: int) -> str:
        """Return what came of the training, in a sentence."""
        orders = [len(cluster.elements) for cluster in expansion.clusters]
        out = sum(self.known[key] is None for key in self._samples)
        known = "are all among them" if not left else f"are among them but for {left}"
        return (
            f"Cluster expansion of {self._model}: {expansion.structures} decorations ({out} more "
            f"left the lattice or failed), {orders.count(2)} pairs, {orders.count(3)} triplets, "
            f"cross-validated error {1000.0 * expansion.error:.1f} meV/atom. After {rounds} rounds "
            f"its {LOWEST} lowest decorations {known}."
        )


def _volume(sample: Decoration, symbols: Sequence[str]) -> float:
    counts = np.bincount(sample.colours, minlength=len(symbols))
    formula = "".join(f"{s}{n}" for s, n in zip(symbols, counts, strict=True) if n)
    return Composition.from_formula(formula).volume_per_atom


def _energy(start: Crystal, end: tuple[Crystal, float] | None) -> float | None:
    if end is None or not stays_on_lattice(start, end[0]):
        return None
    return end[1]


def _read(path: Path, head: dict[str, object]) -> dict[str, float | None]:
    """Return the energies of a file by the keys of their decorations; begin it if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(json.dumps(head) + "\n", encoding="utf-8")
        return {}
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:  # cut off by a crash: computed again
            break
    if not entries or entries[0] != head:
        raise InputError(
            f"{path} holds energies of another model, lattice or elements. Give another folder "
            "(--out)."
        )
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
    return {entry["key"]: entry["energy"] for entry in entries[1:]}
