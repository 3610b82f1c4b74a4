"""Relaxed energies of small decorations, kept in a file, and the expansion fitted to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.exact.fit_expansion import Decoration, decorations, fit, stays_on_lattice
from nucleate.exact.superlattices import parent_lattice

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.exact.expansion import ClusterExpansion

RelaxMany = Callable[[Sequence[Crystal]], "list[tuple[Crystal, float] | None]"]
"""Returns the relaxed crystals with their energies in eV per atom; None where that failed."""

_CHUNK = 8
FILE = "fit.jsonl"


def fitted(
    composition: Composition,
    lattice: str,
    relax: RelaxMany,
    *,
    model: str,
    structures: int,
    folder: Path,
    on_note: Callable[[str], None] = lambda _: None,
) -> ClusterExpansion:
    """Return a cluster expansion of the elements of a composition on a lattice.

    The decorations of the smallest supercells, of all compositions of the elements, are relaxed.
    Those that leave the lattice are left out. Energies are kept in the folder, and a fit that was
    interrupted continues there.

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
    on_note
        Called with what came of it, in a sentence.

    Raises
    ------
    InputError
        If an element alone cannot be relaxed, too few decorations are left, or the folder holds
        energies of another model or lattice.
    """
    symbols = [element(z).symbol for z in sorted(composition.elements)]
    parent = parent_lattice(lattice, composition.volume_per_atom)
    samples = decorations(parent, len(symbols), structures)
    head = {"fit": model, "lattice": lattice, "elements": symbols}
    known = _read(folder / FILE, head)
    missing = [sample for sample in samples if sample.key not in known]
    for place in range(0, len(missing), _CHUNK):
        chunk = missing[place : place + _CHUNK]
        starts = [sample.crystal(parent, symbols, _volume(sample, symbols)) for sample in chunk]
        entries = [
            {"key": sample.key, "energy": _energy(start, end)}
            for sample, start, end in zip(chunk, starts, relax(starts), strict=True)
        ]
        known |= {str(entry["key"]): entry["energy"] for entry in entries}
        with (folder / FILE).open("a", encoding="utf-8") as handle:
            handle.writelines(json.dumps(entry) + "\n" for entry in entries)
    good = [sample for sample in samples if known[sample.key] is not None]
    expansion = fit(
        parent, symbols, good, np.array([known[sample.key] for sample in good]), model=model
    )
    pairs = sum(len(cluster.elements) == 2 for cluster in expansion.clusters)
    triplets = sum(len(cluster.elements) == 3 for cluster in expansion.clusters)
    on_note(
        f"Cluster expansion of {model}: {len(good)} of {len(samples)} decorations (the others "
        f"left the lattice or failed), {pairs} pairs, {triplets} triplets, cross-validated error "
        f"{1000.0 * expansion.error:.1f} meV/atom."
    )
    return expansion


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
