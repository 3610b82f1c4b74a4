"""Random crystals of 20 atoms to relax: where every comparison of benchmarks/relaxation.py starts.

Half of the crystals of a composition come from the ``blocks`` generator, half from ``symmetric``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.generate.symmetric import SymmetricGenerator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CLASSES = {"oxide": "SrTiO3", "halide": "CsPbCl3", "intermetallic": "Al3Ni2"}
"""Compositions of the headline comparison; four formula units are 20 atoms."""


def starts(formula: str, count: int, *, seed: int, n_atoms: int = 20) -> list[Crystal]:
    """Return generated crystals of one composition, alternately from both generators."""
    composition = Composition.from_formula(formula)
    space = SearchSpace.create(composition, formula_units=(max(1, n_atoms // composition.n_atoms),))
    generators = (BlocksGenerator(space), SymmetricGenerator(space))
    crystals: list[Crystal] = []
    attempt = 0
    while len(crystals) < count:
        rng = np.random.default_rng([seed, attempt, sum(formula.encode())])
        attempt += 1
        candidate = generators[len(crystals) % 2].generate(rng=rng)
        if candidate is not None:
            crystals.append(candidate.crystal)
        if attempt > 20 * count + 100:
            raise SystemExit(f"{formula}: the generators gave only {len(crystals)} crystals")
    return crystals


def headline_starts(count: int, path: Path, *, seed: int) -> list[tuple[str, Crystal]]:
    """Return (name, crystal), the classes taking turns so that a part of it is balanced too.

    They are written to ``path`` and read from there the next time, so that all sub-commands
    compare the same starts whatever becomes of the generators.
    """
    journal = Journal(path)
    for name, formula in CLASSES.items():
        keys = [f"{name}-{k}" for k in range(count)]
        if all(key in journal for key in keys):
            continue
        for key, crystal in zip(keys, starts(formula, count, seed=seed), strict=True):
            if key not in journal:
                journal.add(key, crystal=crystal.to_dict())
    order = [f"{name}-{k}" for k in range(count) for name in CLASSES]
    return [(key, Crystal.from_dict(journal[key]["crystal"])) for key in order]


class Journal:
    """A file of JSON lines, one a finished item, from which a benchmark is resumed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._rows: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self._rows[row["key"]] = row

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self._rows[key]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, key: str, **values: Any) -> None:
        """Write one finished item at once."""
        row = {"key": key, **values}
        self._rows[key] = row
        with self._path.open("a") as handle:
            handle.write(json.dumps(row) + "\n")
