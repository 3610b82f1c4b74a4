"""The best ordered decorations of a lattice, proven cell by cell."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.exact.certificate import Certificate, Found, ModelRecord, Proof
from nucleate.exact.colouring import Star, lowest_colourings
from nucleate.exact.decoration import relax_lowest
from nucleate.exact.expansion import ClusterExpansion
from nucleate.exact.grid import Orbits
from nucleate.exact.problem import Problem
from nucleate.exact.prove import proof_of, prove
from nucleate.exact.relaxing import relax_with
from nucleate.exact.report import solver_name
from nucleate.exact.scan import ScanResult
from nucleate.exact.solver import Limits, Status
from nucleate.exact.superlattices import (
    Sites,
    parent_lattice,
    parent_operations,
    site_permutations,
    supercell_sites,
    superlattices,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from nucleate.crystal.composition import Composition
    from nucleate.exact.certificate import RelaxedRecord
    from nucleate.exact.options import SessionOptions
    from nucleate.exact.relaxing import Relax
    from nucleate.potentials.model import EnergyModel


def decorate(
    composition: Composition,
    lattice: str,
    options: SessionOptions,
    *,
    relax: Relax | None = None,
    known: Mapping[str, float | None] | None = None,
) -> ScanResult:
    """Return the proofs of every supercell of a lattice up to a size, and the best relaxed.

    Parameters
    ----------
    composition
        What decorates the sites; every site holds an atom.
    lattice
        See :func:`nucleate.exact.superlattices.parent_lattice`.
    options
        Model, size and limits.
    relax
        Relaxes the lowest decorations; by default the model of the proofs does. Without one a
        cluster expansion relaxes nothing.
    known
        Energies per atom after relaxation by the key of the decoration, where they are known:
        they decide what is relaxed.

    Raises
    ------
    InputError
        If no supercell holds the composition.
    """
    begun = time.perf_counter()
    parent = parent_lattice(lattice, composition.volume_per_atom)
    operations = parent_operations(parent)
    record = ModelRecord.of(options.source)
    prove_form = _prover(composition, parent, options)
    proofs: list[Proof] = []
    left: list[str] = []
    for index in _indices(composition, parent, options.max_atoms):
        for form in superlattices(operations[0], index):
            seconds = options.time_s - (time.perf_counter() - begun)
            if seconds <= 0.0:
                left.append(f"supercells of index {index} and larger were not all looked at")
                break
            proofs.append(prove_form(form, operations, min(options.limit_s, seconds)))
        if left:
            break
    proofs.sort(key=lambda p: (p.best or 0.0) / sum(p.counts.values()))
    if relax is None and not isinstance(options.source, ClusterExpansion):
        relax = relax_with(options.source.model(composition.numbers(1).tolist()), record.name)
    relaxed: list[RelaxedRecord] = []
    if relax is not None:
        proofs, relaxed = relax_lowest(proofs, parent, relax, known=known or {}, seed=options.seed)
    from nucleate import __version__

    certificate = Certificate(
        program=f"nucleate {__version__}", solver=solver_name(), formula=composition.formula,
        model=record, min_distances=dict.fromkeys(_pairs(composition), 0.0), proofs=proofs,
        not_covered=[
            f"Anything but decorations of {lattice} with up to {options.max_atoms} atoms per cell.",
            *_limits_of(options, parent),
            *left,
        ],
    )  # fmt: skip
    return ScanResult(certificate, relaxed, time.perf_counter() - begun)


def _limits_of(options: SessionOptions, parent: Crystal) -> list[str]:
    """Return what the energies leave out."""
    source = options.source
    if isinstance(source, ClusterExpansion):
        error = f"{1000.0 * source.error:.1f} meV/atom, cross-validated"
        samples = f"{source.structures} decorations relaxed with {source.fitted_to}"
        return [f"The error of the energies: {error} on {samples}."]
    return [f"Other volumes than {parent.volume_per_atom:.3f} Å³ per site."]


Operations = tuple["NDArray[np.int64]", "NDArray[np.float64]"]


def _prover(
    composition: Composition, parent: Crystal, options: SessionOptions
) -> Callable[[NDArray[np.int64], Operations, float], Proof]:
    """Return the function that proves a supercell in some seconds."""
    source = options.source
    if isinstance(source, ClusterExpansion):
        star = Star(source, parent)
        return lambda form, operations, seconds: _proof_of_expansion(
            composition, parent, form, operations, star, source, options.keep, seconds
        )
    model = source.model(composition.numbers(1).tolist())
    return lambda form, operations, seconds: _proof(
        composition, parent, form, operations, model, options, seconds
    )


def _proof_of_expansion(
    composition: Composition, parent: Crystal, form: NDArray[np.int64], operations: Operations,
    star: Star, source: ClusterExpansion, keep: int, seconds: float,
) -> Proof:  # fmt: skip
    """Return the proof of a supercell by looking at every decoration."""
    begun = time.perf_counter()
    sites, _ = supercell_sites(parent, form)
    units = sites.size // composition.n_atoms
    counts = np.array([composition.counts[symbol] * units for symbol in source.elements])
    energy = star.polynomial(form)
    build_s = time.perf_counter() - begun
    images = site_permutations(parent, form, operations)
    ends = lowest_colourings(energy, counts, images, keep=keep, seconds=seconds)
    found = [
        Found(
            energy=float(value), proven=ends.complete,
            places={symbol: np.flatnonzero(colours == k).tolist()
                    for k, symbol in enumerate(source.elements)},
        )
        for value, colours in zip(ends.energies, ends.colours, strict=True)
    ]  # fmt: skip
    status = Status.OPTIMAL if ends.complete else Status.TIME
    rows = [tuple(float(x) for x in row) for row in sites.cell]
    return Proof(
        formula_units=units, space_group=1, cell=(rows[0], rows[1], rows[2]), grid=sites.shape,  # type: ignore[arg-type]
        counts=dict(zip(source.elements, counts.tolist(), strict=True)),
        orbits=[[site] for site in range(sites.size)],
        variables=sites.size * (counts.size - 1), products=0, status=status.value,
        method="enumeration" if ends.complete else "none",
        bound=found[0].energy if ends.complete else None, found=found, build_s=build_s,
        solve_s=ends.seconds, steps=ends.steps,
        sites=[tuple(float(x) for x in row) for row in sites.fractions],  # type: ignore[misc]
    )  # fmt: skip


def _indices(composition: Composition, parent: Crystal, max_atoms: int) -> list[int]:
    indices = [
        index
        for index in range(1, max_atoms // parent.n_atoms + 1)
        if index * parent.n_atoms % composition.n_atoms == 0
    ]
    if not indices:
        raise InputError(
            f"--max-atoms = {max_atoms}: no supercell of {parent.n_atoms} sites per cell holds "
            f"{composition.formula}. Allow at least "
            f"{np.lcm(parent.n_atoms, composition.n_atoms)} atoms."
        )
    return indices


def _proof(
    composition: Composition,
    parent: Crystal,
    form: NDArray[np.int64],
    operations: tuple[NDArray[np.int64], NDArray[np.float64]],
    model: EnergyModel,
    options: SessionOptions,
    seconds: float,
) -> Proof:
    begun = time.perf_counter()
    problem = decoration_problem(composition, parent, form, operations, model)
    build_s = time.perf_counter() - begun
    limits = Limits(seconds, options.memory_mb)
    outcome = prove(
        problem,
        limits,
        keep=options.keep,
        rng=np.random.default_rng([options.seed, problem.grid.size]),
    )
    units = problem.grid.size // composition.n_atoms
    proof = proof_of(problem, outcome, formula_units=units, build_s=build_s)
    fractions = [
        tuple(float(x) for x in row) for row in problem.grid.scaled(np.arange(problem.grid.size))
    ]
    return proof.model_copy(update={"sites": fractions})


def decoration_problem(
    composition: Composition,
    parent: Crystal,
    form: NDArray[np.int64],
    operations: tuple[NDArray[np.int64], NDArray[np.float64]],
    model: EnergyModel,
) -> Problem:
    """Return the problem of decorating one supercell: every site is an orbit of its own."""
    sites, _ = supercell_sites(parent, form)
    n, elements = sites.size, model.elements
    single, pair, constant = _site_energies(sites, parent.n_atoms, model)
    orbits = Orbits(np.arange(n), np.arange(n), np.ones(n, dtype=np.int64))
    counts = dict(zip(composition.elements, composition.counts.values(), strict=True))
    units = n // composition.n_atoms
    number = np.array([counts[z] * units for z in elements], dtype=np.int64)
    kind, orbit = (array.ravel() for array in np.indices((len(elements), n)))
    conflict = orbit[:, None] == orbit[None, :]
    quadratic = np.where(conflict, 0.0, pair[kind[:, None], kind, orbit[:, None], orbit])
    conflict = conflict & ~np.eye(kind.size, dtype=bool)
    moves = site_permutations(parent, form, operations)
    images = moves[:, orbit] + n * kind[None, :]
    full = np.repeat(elements, number)
    constant = constant(Crystal(full, sites.cell, sites.fractions))
    return Problem(
        sites, orbits, 1, elements, number, kind, orbit, np.ones(kind.size, dtype=np.int64),
        single[kind, orbit], quadratic, conflict, constant, images,
    )  # fmt: skip


def _site_energies(
    sites: Sites, basis: int, model: EnergyModel
) -> tuple[NDArray[np.float64], NDArray[np.float64], Callable[[Crystal], float]]:
    """Return energies of one and of two atoms on sites, and the function of what is left.

    Sites of one basis atom differ by lattice vectors of the parent, so only pairs with the first
    site of each basis atom are computed.
    """
    bare = replace(model, tables=model.sums._replace(volume_stiffness=0.0))
    n, kinds = sites.size, len(model.elements)

    def energy(places: list[int], types: list[int]) -> float:
        numbers = np.array([model.elements[k] for k in types])
        return float(bare.evaluate(Crystal(numbers, sites.cell, sites.fractions[places])).energy)

    single = np.array([[energy([b], [k]) for b in range(basis)] for k in range(kinds)])
    pair = np.zeros((kinds, kinds, n, n))
    for k in range(kinds):
        for m in range(kinds):
            heads = np.zeros((basis, n))
            for b in range(basis):
                for s in range(n):
                    if s != b:
                        alone = single[k, b] + single[m, s % basis]
                        heads[b, s] = energy([b, s], [k, m]) - alone
            pair[k, m] = _spread(heads, sites, basis)

    def constant(crystal: Crystal) -> float:
        return float(model.evaluate(crystal).energy - bare.evaluate(crystal).energy)

    return single[:, np.arange(n) % basis], pair, constant


def _spread(heads: NDArray[np.float64], sites: Sites, basis: int) -> NDArray[np.float64]:
    """Return the energies of all pairs from those with the first site of each basis atom."""
    n = sites.size
    out = np.zeros((n, n))
    for i in range(n):
        b = i % basis
        moved = sites.fractions - sites.fractions[i] + sites.fractions[b]
        gap = moved[:, None, :] - sites.fractions[None, :, :]
        gap -= np.rint(gap)
        target = np.argmin(np.abs(gap).max(axis=2), axis=1)
        out[i] = heads[b, target]
    return out


def _pairs(composition: Composition) -> list[str]:
    symbols = list(composition.counts)
    return [f"{a}-{b}" for i, a in enumerate(symbols) for b in symbols[i:]]
