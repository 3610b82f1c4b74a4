"""Verify a certificate by other means than those that made it.

Orbits come from floating-point images and connected components, energies from the model's own sums
over whole crystals, and bounds from going through all arrangements orbit by orbit, without use of
symmetry; where there are too many, from solving the problem again with the recomputed energies.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.distances import pairs_too_close
from nucleate.crystal.elements import element
from nucleate.errors import InputError
from nucleate.exact.check_expansion import lowest_of_all
from nucleate.exact.expansion import ClusterExpansion
from nucleate.exact.recompute import TOLERANCE, System, crystal_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.exact.certificate import Certificate, Proof
    from nucleate.potentials.model import EnergyModel

    Model = EnergyModel | ClusterExpansion


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker says of one proof.

    Attributes
    ----------
    name : str
        Cell, group and grid.
    problems : list of str
        What is wrong; empty where nothing is.
    bound : str
        How the bound was verified: ``every arrangement``, ``solved again``, ``none claimed`` or
        ``not verified``.
    seconds : float
        Wall time.
    """

    name: str
    problems: list[str] = field(default_factory=list)
    bound: str = "not verified"
    seconds: float = 0.0

    @property
    def accepted(self) -> bool:
        """Whether nothing is wrong and the bound was verified."""
        return not self.problems and self.bound != "not verified"


def check_certificate(certificate: Certificate, *, seconds: float = 120.0) -> list[Verdict]:
    """Return a verdict on every proof.

    Parameters
    ----------
    certificate
        As read from its file.
    seconds
        Wall time for the bound of each proof.
    """
    return [check_proof(certificate, proof, seconds=seconds) for proof in certificate.proofs]


def check_proof(certificate: Certificate, proof: Proof, *, seconds: float = 120.0) -> Verdict:
    """Return the verdict on one proof."""
    begun = time.perf_counter()
    name = (
        f"Z = {proof.formula_units}, group {proof.space_group}, "
        f"grid {'x'.join(str(n) for n in proof.grid)}, cell "
        + " ".join(f"{x:.2f}" for x in np.linalg.norm(np.array(proof.cell), axis=1))
    )
    problems = _counts(certificate, proof) + _orbits(proof)
    bound = "not verified"
    if not problems:
        numbers = [element(s).number for s, n in proof.counts.items() for _ in range(n)]
        try:
            model = certificate.model.source().model(numbers)
            problems += _arrangements(certificate, proof, model)
            problems += _claims(proof)
            if not problems:
                bound, wrong = _bound(certificate, proof, model, begun + seconds)
                problems += wrong
        except InputError as error:
            problems.append(str(error))
    return Verdict(name, problems, bound, time.perf_counter() - begun)


def _counts(certificate: Certificate, proof: Proof) -> list[str]:
    expected = {
        s: n * proof.formula_units
        for s, n in Composition.from_formula(certificate.formula).counts.items()
    }
    if proof.counts != expected:
        return [f"counts {proof.counts} are not {proof.formula_units} x {certificate.formula}"]
    missing = [
        f"{a}-{b}"
        for a in expected
        for b in expected
        if f"{a}-{b}" not in certificate.min_distances
        and f"{b}-{a}" not in certificate.min_distances
    ]
    return [f"min_distances lack {missing[0]}"] if missing else []


def recomputed_orbits(number: int, shape: Sequence[int]) -> list[list[int]]:
    """Return the orbits of a grid from images of its points in fractions of the cell.

    Raises
    ------
    InputError
        If an image lies between the points.
    """
    from moyopy import Setting, operations_from_number
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    found = operations_from_number(number, setting=Setting.standard())
    counts = np.array(shape, dtype=np.float64)
    axes = [np.arange(n) / n for n in shape]
    fractions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    size = fractions.shape[0]
    sources, targets = [], []
    for rotation, translation in zip(found.rotations, found.translations, strict=True):
        image = (fractions @ np.array(rotation, dtype=float).T + np.array(translation)) * counts
        near = np.rint(image)
        if np.abs(image - near).max() > 1e-6:
            raise InputError(
                f"certificate: space group {number} does not map the grid {list(shape)} onto "
                "itself. Its orbits cannot be right."
            )
        wrapped = np.mod(near, counts).astype(np.int64)
        sources.append(np.arange(size))
        targets.append((wrapped[:, 0] * shape[1] + wrapped[:, 1]) * shape[2] + wrapped[:, 2])
    rows, columns = np.concatenate(sources), np.concatenate(targets)
    graph = coo_array((np.ones(rows.size), (rows, columns)), shape=(size, size))
    count, label = connected_components(graph, directed=False)
    groups: list[list[int]] = [[] for _ in range(count)]
    for point, group in enumerate(label):
        groups[group].append(point)
    return groups


def _orbits(proof: Proof) -> list[str]:
    if proof.sites is not None:
        return _sites(proof)
    try:
        expected = recomputed_orbits(proof.space_group, proof.grid)
    except InputError as error:
        return [str(error)]
    right = {tuple(orbit) for orbit in expected}
    given = [tuple(sorted(orbit)) for orbit in proof.orbits]
    lost, extra = right - set(given), set(given) - right
    if lost or extra or len(given) != len(right):
        return [
            f"orbits: {len(lost)} of {len(right)} of the group are missing, {len(extra)} are none"
        ]
    metric = np.array(proof.cell) @ np.array(proof.cell).T
    from moyopy import Setting, operations_from_number

    for rotation in operations_from_number(proof.space_group, setting=Setting.standard()).rotations:
        turned = np.array(rotation).T @ metric @ np.array(rotation)
        if np.abs(turned - metric).max() > 1e-5 * np.abs(metric).max():
            return [f"the cell does not have the symmetry of space group {proof.space_group}"]
    return []


def _sites(proof: Proof) -> list[str]:
    """Every site is an orbit of its own, and no two are the same place."""
    assert proof.sites is not None
    n = len(proof.sites)
    if [list(orbit) for orbit in proof.orbits] != [[k] for k in range(n)]:
        return ["orbits: not one for each site"]
    places = np.array(proof.sites)
    gap = places[:, None, :] - places[None, :, :]
    gap = np.abs(gap - np.rint(gap)).max(axis=2) + np.eye(n)
    return ["two sites are the same place"] if gap.min() < 1e-6 else []


def _arrangements(certificate: Certificate, proof: Proof, model: Model) -> list[str]:
    problems = []
    limits = certificate.distances()
    size = len(proof.sites) if proof.sites is not None else int(np.prod(proof.grid))
    for rank, found in enumerate(proof.found, 1):
        points = [p for places in found.places.values() for p in places]
        counts = {symbol: len(places) for symbol, places in found.places.items()}
        if counts != proof.counts or len(set(points)) != len(points):
            problems.append(f"arrangement {rank}: its atoms are not those of the cell")
            continue
        if min(points) < 0 or max(points) >= size:
            problems.append(f"arrangement {rank}: a point is not on the grid")
            continue
        for symbol, places in found.places.items():
            held = set(places)
            if any(0 < len(held & set(orbit)) < len(orbit) for orbit in proof.orbits):
                problems.append(f"arrangement {rank}: {symbol} fills a part of an orbit")
        crystal = crystal_of(proof, found.places)
        if pairs_too_close(crystal, limits * (1.0 - 1e-9)):
            problems.append(f"arrangement {rank}: atoms are closer than min_distances")
        energy = model.evaluate(crystal).energy
        if not _equal(energy, found.energy):
            problems.append(
                f"arrangement {rank}: its energy is {energy:.6f}, not {found.energy:.6f}"
            )
        problems += _relaxed(certificate, proof, rank, model)
    return problems


def _relaxed(certificate: Certificate, proof: Proof, rank: int, model: Model) -> list[str]:
    end = proof.found[rank - 1].relaxed
    if end is None or end.model != certificate.model.name:
        return []
    crystal = end.crystal()
    if sorted(end.symbols) != sorted(s for s, n in proof.counts.items() for _ in range(n)):
        return [f"arrangement {rank}: other atoms after relaxation"]
    energy = model.evaluate(crystal).energy
    if not _equal(energy, end.energy):
        return [f"arrangement {rank}: relaxed energy is {energy:.6f}, not {end.energy:.6f}"]
    return []


def _equal(first: float, second: float) -> bool:
    return abs(first - second) <= TOLERANCE * (1.0 + abs(first))


def _claims(proof: Proof) -> list[str]:
    """Return what the proof says about itself that cannot be."""
    problems = []
    best, bound = proof.best, proof.bound
    if proof.status == "no arrangement" and (proof.found or bound is not None):
        problems.append("it says that there is no arrangement, and has one or a bound")
    if bound is not None and best is not None and bound > best + TOLERANCE * (1 + abs(best)):
        problems.append(f"bound {bound:.6f} lies above the arrangement with {best:.6f}")
    if proof.status == "optimal":
        if best is None or bound is None:
            problems.append("it says optimal, without an arrangement or a bound")
        elif not abs(best - bound) <= 20 * TOLERANCE * (1 + abs(best)):
            problems.append(f"it says optimal, with {best - bound:.6f} between best and bound")
    energies = [found.energy for found in proof.found if found.proven]
    flags = [found.proven for found in proof.found]
    if energies != sorted(energies) and np.any(np.diff(energies) < -1e-6):
        problems.append("proven arrangements are not in order of energy")
    if any(later and not earlier for earlier, later in pairwise(flags)):
        problems.append("an arrangement is proven after one that is not")
    return problems


def _bound(
    certificate: Certificate, proof: Proof, model: Model, deadline: float
) -> tuple[str, list[str]]:
    """Return how the bound was verified and what is wrong with it."""
    if proof.bound is None and proof.status != "no arrangement":
        return "none claimed", []
    if isinstance(model, ClusterExpansion):
        complete, levels = lowest_of_all(proof, model, deadline)
        if levels.size and proof.bound is not None and levels[0] < proof.bound - TOLERANCE:
            return "every arrangement", [
                f"the bound {proof.bound:.6f}: there is one with energy {levels[0]:.6f}"
            ]
        return ("every arrangement", _ranks(proof, levels)) if complete else ("not verified", [])
    system = System(certificate, proof, model)
    complete, levels = system.lowest(deadline)
    if levels.size and (
        proof.bound is None or levels[0] < proof.bound - TOLERANCE * (1 + abs(levels[0]))
    ):
        claimed = "no arrangement" if proof.bound is None else f"the bound {proof.bound:.6f}"
        return "every arrangement", [f"{claimed}: there is one with energy {levels[0]:.6f}"]
    if complete:
        return "every arrangement", _ranks(proof, levels)
    if any(found.proven for found in proof.found[1:]):
        return "not verified", []
    return system.solved_again(proof, max(1.0, deadline - time.perf_counter()))


def _ranks(proof: Proof, levels: NDArray[np.float64]) -> list[str]:
    proven = np.array([found.energy for found in proof.found if found.proven])
    if not proven.size:
        return []
    for level in levels:
        slack = TOLERANCE * (1 + abs(level))
        if level > proven.max() - slack:
            break
        if np.abs(proven - level).min() > slack:
            return [f"ranks: an arrangement with {level:.6f} is missing among those proven"]
    return []
