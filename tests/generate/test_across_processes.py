"""The same seed gives the same crystals in another process, with other hashes and threads."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.generate.blocks import BlocksGenerator
from nucleate.generate.build import build_generators, random_generators
from nucleate.generate.context import GeneratorContext
from nucleate.generate.graph_search.optimisers import ParticleSwarm
from nucleate.generate.graph_search.parzen import ParzenSearch
from nucleate.generate.graph_search.points import PointSpace
from nucleate.generate.symmetric import SymmetricGenerator

FORMULAS = {"Ca3Ti2O7": 24, "LiFePO4": 14, "Si": 8}


def spaces() -> list[SearchSpace]:
    return [
        SearchSpace.create(Composition.from_formula(formula), max_atoms=most)
        for formula, most in FORMULAS.items()
    ]


def digest(*arrays: object) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:16]


def of_candidate(candidate) -> list[object]:
    if candidate is None:
        return ["none"]
    crystal, origin = candidate.crystal, candidate.origin
    return [digest(crystal.numbers, crystal.cell, crystal.scaled), origin.source, origin.detail]


def draws(source, number: int) -> list[list[object]]:
    """Return what a source gives to a chain of draws, each of which it is told of."""
    found = []
    for draw in range(number):
        candidate = source.generate(rng=np.random.default_rng([11, draw]))
        if candidate is not None:
            source.note(candidate.origin)
        found.append(of_candidate(candidate))
    return found


def proposals(kind, points: PointSpace) -> list[str]:
    """Return what an optimiser proposes in two rounds."""
    rng = np.random.default_rng(5)
    optimiser = (
        ParticleSwarm(points, rng=rng) if kind is ParticleSwarm else ParzenSearch(points, start=20)
    )
    found = []
    for _ in range(3):
        proposed = optimiser.propose(60, rng=rng)
        found += [digest(p.shape, p.log_volume) + p.layout.words for p in proposed]
        built = [points.realise(p, rng=rng) for p in proposed]
        optimiser.learn([s and _judged(s) for s in built])
    return found


def _judged(sample):
    from dataclasses import replace

    return replace(sample, energy=abs(sample.log_volume))


def everything() -> dict[str, object]:
    """Return digests of draws of all random sources."""
    found: dict[str, object] = {}
    for space in spaces():
        name = space.composition.formula
        for kind in (BlocksGenerator, SymmetricGenerator):
            found[f"{kind.name} {name}"] = draws(kind(space), 6)
        mix = build_generators(random_generators(), GeneratorContext(space))
        found[f"mix {name}"] = draws(mix, 10)
        found[f"counts {name}"] = sorted(mix.counts.items())
    points = PointSpace(spaces()[0], 1)
    for kind in (ParticleSwarm, ParzenSearch):
        found[kind.__name__] = proposals(kind, points)
    return json.loads(json.dumps(found))


@pytest.mark.parametrize("hash_seed", ["1"])
def test_another_process_draws_the_same(hash_seed: str) -> None:
    here = everything()
    code = "import json; from tests.generate.test_across_processes import everything as e\n"
    paths = os.pathsep.join([str(Path.cwd()), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code + "print(json.dumps(e()))"],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "PYTHONPATH": paths,
            "PYTHONHASHSEED": hash_seed,
            "OMP_NUM_THREADS": "2",
            "NUMBA_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
    )
    there = json.loads(done.stdout)
    assert set(there) == set(here)
    for key, value in here.items():
        assert there[key] == value, key


def test_the_digests_tell_crystals_apart() -> None:
    """Or the comparison of processes would compare nothing."""
    space = spaces()[0]
    found = draws(BlocksGenerator(space), 6)
    assert len({row[0] for row in found}) == 6
    assert draws(BlocksGenerator(space), 6) == found
    crystal = SymmetricGenerator(space).generate(rng=np.random.default_rng(0))
    assert crystal is not None
    moved = crystal.crystal.scaled.copy()
    moved[0, 0] += 1e-15
    assert digest(moved + 1.0) != digest(crystal.crystal.scaled)
