"""Energies of every decoration of a supercell, from neighbours found by distances."""

from __future__ import annotations

import time
from itertools import combinations, islice
from typing import TYPE_CHECKING

import numpy as np

from nucleate.exact.expansion import contracted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from nucleate.exact.certificate import Proof
    from nucleate.exact.expansion import ClusterExpansion

_CHUNK = 20_000
_LEVELS = 64


def lowest_of_all(
    proof: Proof, model: ClusterExpansion, deadline: float
) -> tuple[bool, NDArray[np.float64]]:
    """Return whether every decoration was met, and the lowest distinct energies in eV per cell.

    Parameters
    ----------
    proof
        Its cell, sites and numbers of atoms are used, nothing else.
    model
        Energies of clusters.
    deadline
        By ``time.perf_counter()``.
    """
    assert proof.sites is not None
    fractions = np.array(proof.sites)
    tensors = model.tensors(np.array(proof.cell), fractions)
    counts = [proof.counts[symbol] for symbol in model.elements]
    levels = np.zeros(0)
    rows = _colours(list(range(len(fractions))), counts)
    while time.perf_counter() < deadline:
        chunk = list(islice(rows, _CHUNK))
        if not chunk:
            return True, levels
        levels = _lowest(np.concatenate([levels, contracted(tensors, np.array(chunk))]))
    return False, levels


def _lowest(energies: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(energies)
    new = np.diff(ordered, prepend=-np.inf) > 1e-7 * (1.0 + np.abs(ordered))
    return ordered[new][:_LEVELS]


def _colours(sites: Sequence[int], counts: Sequence[int]) -> Iterator[NDArray[np.int64]]:
    """Yield every way to colour sites with given numbers of each colour."""
    last = len(counts) - 1
    if last == 0:
        yield np.zeros(len(sites), dtype=np.int64)
        return
    for chosen in combinations(range(len(sites)), counts[last]):
        rest = np.ones(len(sites), dtype=bool)
        rest[list(chosen)] = False
        for inner in _colours(np.flatnonzero(rest).tolist(), counts[:last]):
            row = np.full(len(sites), last, dtype=np.int64)
            row[rest] = inner
            yield row
