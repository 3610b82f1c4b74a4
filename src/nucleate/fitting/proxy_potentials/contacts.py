"""First-neighbour distances and expected volumes, from data and (where unseen) from radii."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.elements import element
from nucleate.potentials.basis import N_CLASSES, N_CONTEXTS, context_of, pair_class, pair_index
from nucleate.potentials.kernels import neighbours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.fitting.proxy_potentials.structures import Sample

_RADIUS_FACTOR = (1.25, 1.05, 1.0, 1.1, 1.1, 1.4)  # of the covalent radii, by class
_PRIOR_WEIGHT = 2.0


def shortest_contacts(sample: Sample, cutoff: float) -> dict[tuple[int, int], float]:
    """Return the shortest distance of each pair of elements (low, high) within the cut-off."""
    crystal = sample.crystal
    cell = np.array(crystal.cell)
    pos = crystal.scaled @ cell
    first, other, shift = neighbours(pos, cell, cutoff)
    one = np.repeat(np.arange(crystal.n_atoms), np.diff(first))
    r = np.linalg.norm(pos[other] - pos[one] + shift @ cell, axis=1)
    za, zb = crystal.numbers[one], crystal.numbers[other]
    low, high = np.minimum(za, zb), np.maximum(za, zb)
    out: dict[tuple[int, int], float] = {}
    for key in np.unique(low * 200 + high):
        out[int(key) // 200, int(key) % 200] = float(r[low * 200 + high == key].min())
    return out


def fit_contacts(
    samples: Sequence[Sample], elements: Sequence[int], cutoff: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """Return d0 and the closest usual approach of each pair in each context, and the counts.

    Returns
    -------
    contact, inner : ndarray, shape (n_contexts, n_pairs)
        Lower quartile and (roughly) smallest of the shortest distances of the structures, in Å,
        shrunk towards sums of fitted radii for rare pairs.
    observed : ndarray of int32, shape (n_contexts, n_pairs)
    """
    n = len(elements)
    where = {z: i for i, z in enumerate(elements)}
    found: list[dict[tuple[int, int], list[float]]] = [{} for _ in range(N_CONTEXTS)]
    for sample in samples:
        context = context_of(sample.crystal.numbers)
        for (a, b), r in shortest_contacts(sample, cutoff).items():
            found[context].setdefault((a, b), []).append(r)
    size = n * (n + 1) // 2
    contact, inner = np.zeros((N_CONTEXTS, size)), np.zeros((N_CONTEXTS, size))
    observed = np.zeros((N_CONTEXTS, size), dtype=np.int32)
    for context in range(N_CONTEXTS):
        typical = {pair: float(np.quantile(rs, 0.25)) for pair, rs in found[context].items()}
        closest = {pair: float(np.quantile(rs, 0.02)) for pair, rs in found[context].items()}
        prior = _radii_prior(typical, found[context], elements)
        for i in range(n):
            for j in range(i, n):
                pair = (min(elements[i], elements[j]), max(elements[i], elements[j]))
                row = pair_index(where[pair[0]], where[pair[1]], n)
                count = len(found[context].get(pair, ()))
                observed[context, row] = count
                mean = typical.get(pair, 0.0) * count + _PRIOR_WEIGHT * prior[i, j]
                contact[context, row] = mean / (count + _PRIOR_WEIGHT)
                low = closest.get(pair, 0.0) * count + _PRIOR_WEIGHT * 0.9 * prior[i, j]
                inner[context, row] = low / (count + _PRIOR_WEIGHT)
    return contact, np.minimum(inner, contact) * 0.94, observed


def _radii_prior(
    typical: dict[tuple[int, int], float],
    found: dict[tuple[int, int], list[float]],
    elements: Sequence[int],
) -> NDArray[np.float64]:
    """Least-squares element radii for each class of pairs, pulled to the covalent radii."""
    n = len(elements)
    where = {z: i for i, z in enumerate(elements)}
    covalent = np.array([element(z).covalent_radius for z in elements])
    prior = np.zeros((n, n))
    for kind in range(N_CLASSES):
        start = covalent * _RADIUS_FACTOR[kind]
        rows, targets = [], []
        for (a, b), r in typical.items():
            if pair_class(a, b) == kind:
                weight = min(len(found[a, b]), 10) ** 0.5
                row = np.zeros(n)
                row[where[a]] += weight
                row[where[b]] += weight
                rows.append(row)
                targets.append(weight * (r - start[where[a]] - start[where[b]]))
        radii = start
        if rows:
            matrix = np.array(rows)
            normal = matrix.T @ matrix + 2.0 * np.eye(n)
            radii = start + np.linalg.solve(normal, matrix.T @ np.array(targets))
        sums = radii[:, None] + radii[None, :]
        for i in range(n):
            for j in range(n):
                if pair_class(elements[i], elements[j]) == kind:
                    prior[i, j] = sums[i, j]
    return prior


def fit_volumes(
    samples: Sequence[Sample], elements: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return volumes of the elements in each context, and the median error of V0.

    Reweighted least squares on V/n, pulled to the expected volumes of :mod:`nucleate.crystal`.
    """
    from nucleate.crystal.volumes import expected_volume

    n = len(elements)
    where = {z: i for i, z in enumerate(elements)}
    start = np.array([expected_volume({element(z).symbol: 1}) for z in elements])
    volumes, errors = np.zeros((N_CONTEXTS, n)), np.zeros(N_CONTEXTS)
    for context in range(N_CONTEXTS):
        mine = [s.crystal for s in samples if context_of(s.crystal.numbers) == context]
        matrix = np.zeros((len(mine), n))
        target = np.zeros(len(mine))
        for row, crystal in enumerate(mine):
            for z in crystal.numbers:
                matrix[row, where[int(z)]] += 1.0 / crystal.n_atoms
            target[row] = crystal.volume / crystal.n_atoms
        volume = start.copy()
        for _ in range(8):
            guess = np.maximum(matrix @ volume, 1.0)
            relative = target / guess - 1.0
            weight = 1.0 / guess / np.maximum(np.abs(relative), 0.03) ** 0.5
            weighted = matrix * weight[:, None]
            normal = weighted.T @ weighted + 0.02 * np.eye(n)
            volume = start + np.linalg.solve(
                normal, weighted.T @ (weight * (target - matrix @ start))
            )
            volume = np.maximum(volume, 2.0)
        volumes[context] = volume
        errors[context] = (
            np.median(np.abs(target / np.maximum(matrix @ volume, 1.0) - 1.0)) if mine else 0
        )
    return volumes, errors
