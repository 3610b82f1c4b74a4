"""Fit the symmetric prior and write ``symmetric_prior.npz``.

    python scripts/symmetric_prior/fit.py observations.jsonl symmetric_prior.npz

``observations.jsonl`` comes from ``collect.py``; only its train split is used.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from fit_groups import compositions, fit_groups, memory
from fit_positions import fit_positions
from fit_shapes import fit_shapes
from scipy.optimize import minimize

from nucleate.crystal.elements import MAX_NUMBER, element
from nucleate.generate.symmetric_prior import SymmetricPrior

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSETTLED_WEIGHT = 0.35
"""Weight of a structure without energy: many are orderings of disordered ones."""

FAMILIES = ("O", "S Se Te", "F Cl Br I", "N P As Sb Bi", "B C Si Ge", "H")
CATIONS = "Li Na K Rb Cs Be Mg Ca Sr Ba Sc Y La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Tl Pb"
NOBLE = (2, 10, 18, 36, 54, 86)
CONTACT_QUANTILE, FEWEST_CONTACTS = 0.10, 10
MAX_UNITS, TABLED_UNITS = 52, 17
KNOTS = np.array([0.0, 1.0, 1.7, 2.2, 2.6, 3.0, 3.4, 3.7, 4.0])


def main(source: Path, target: Path) -> None:
    """Fit everything on the train split and write it."""
    with source.open() as stream:
        rows = [json.loads(line) for line in stream]
    rows = [row for row in rows if row["split"] == "train"]
    weight = np.array([1.0 if row["settled"] else UNSETTLED_WEIGHT for row in rows])
    table = element_table()
    arrays: dict[str, NDArray[Any]] = {"element_table": table}
    arrays |= {"usual_contacts": usual_contacts(rows)}
    arrays |= fit_units(rows)
    arrays |= fit_shapes(rows, weight)
    content = compositions(rows, weight)
    arrays |= memory(content)
    arrays |= fit_positions(rows, weight, table)
    zero = {"group_weights": np.zeros((21, 231)), "group_counting": np.zeros((3, 231))}
    arrays |= fit_groups(SymmetricPrior(arrays | zero), content)
    for key, value in arrays.items():
        if value.dtype == np.float64:
            arrays[key] = value.astype(np.float32)
    np.savez_compressed(target, **arrays)
    print(f"{target}: {target.stat().st_size / 1024:.0f} kB from {len(rows)} structures")


def element_table() -> NDArray[Any]:
    """Return electronegativity, radius in Å and family of each element, shape (104, 3)."""
    table = np.zeros((MAX_NUMBER + 1, 3))
    family = {name: k for k, names in enumerate(FAMILIES) for name in names.split()}
    family |= dict.fromkeys(CATIONS.split(), len(FAMILIES))
    for number in range(1, MAX_NUMBER + 1):
        data = element(number)
        negativity = data.electronegativity or (2.0 if number in NOBLE else 1.3)
        table[number] = negativity, data.atomic_radius, family.get(data.symbol, len(FAMILIES) + 1)
    return table.astype(np.float32).astype(np.float64)


def usual_contacts(rows: list[dict[str, Any]]) -> NDArray[Any]:
    """Return the 10 % quantile of the shortest contacts of each pair, shape (104, 104), in Å.

    Structures whose pair does not meet count as distant; 0 for a pair with too few structures.
    """
    found: dict[tuple[int, int], list[float]] = defaultdict(list)
    for row in rows:
        near = {(first, second): distance for first, second, distance in row["contacts"]}
        for k, first in enumerate(row["numbers"]):
            for second in row["numbers"][k:]:
                found[first, second].append(near.get((first, second), np.inf))
    table = np.zeros((MAX_NUMBER + 1, MAX_NUMBER + 1), dtype=np.float32)
    for (first, second), values in found.items():
        if len(values) >= FEWEST_CONTACTS:
            quantile = np.quantile(values, CONTACT_QUANTILE, method="lower")
            if np.isfinite(quantile):
                table[first, second] = table[second, first] = round(float(quantile), 2)
    return table


def fit_units(rows: list[dict[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return ``log_units`` (by number of formula units) and ``log_atoms`` (knots and values)."""
    pairs = set()
    for row in rows:
        if row["settled"]:
            units = gcd(*row["counts"])
            pairs.add((row["formula"], sum(row["counts"]) // units, units))
    sizes = np.array([size for _, size, _ in pairs])
    seen = np.array([units for _, _, units in pairs])
    units = np.arange(1, MAX_UNITS + 1)
    one_hot = np.eye(TABLED_UNITS)[np.minimum(units, TABLED_UNITS) - 1]
    by_units = np.column_stack([one_hot, np.log(units)])
    hats = np.eye(KNOTS.size)
    atoms = np.log(np.arange(1, MAX_UNITS + 1))
    by_atoms = np.column_stack([np.interp(atoms, KNOTS, hat) for hat in hats])
    features = {
        size: np.column_stack(
            [
                by_units[: MAX_UNITS // size],
                by_atoms[size * units[: MAX_UNITS // size] - 1],
            ]
        )
        for size in np.unique(sizes)
    }
    cases = [
        (features[size], np.bincount(seen[sizes == size] - 1, minlength=len(features[size])))
        for size in features
    ]

    def objective(x: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        value, slope = 1e-4 * x @ x * len(seen), 2e-4 * x * len(seen)
        for matrix, counts in cases:
            score = matrix @ x
            share = np.exp(score - np.logaddexp.reduce(score))
            value -= counts @ np.log(share)
            slope -= matrix.T @ (counts - counts.sum() * share)
        return value / len(seen), slope / len(seen)

    result = minimize(objective, np.zeros(by_units.shape[1] + KNOTS.size), jac=True)
    print(f"units: {result.fun:.4f} nats a formula")
    split = by_units.shape[1]
    return {
        "log_units": np.concatenate([[0.0], by_units @ result.x[:split]]),
        "log_atoms": np.array([KNOTS, result.x[split:]]),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
