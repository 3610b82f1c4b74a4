"""Draw structures of a composition."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError
from nucleate.generate.context import MAKES_A_POOL
from nucleate.plugins import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from nucleate.crystal.candidate import Candidate
    from nucleate.generate.graph_search.generator import GraphSearchGenerator as RankedPool
    from nucleate.generate.mix import GeneratorMix

    Report = Callable[[str, int, int], None]

FAILURES_IN_A_ROW = 50


def no_report(stage: str, done: int, whole: int) -> None:
    """Show nothing."""


def generate(
    formula: str,
    generator: Any = None,
    *,
    n: int = 100,
    seed: int = 0,
    max_atoms: int | None = None,
    formula_units: Sequence[int] | None = None,
    space_groups: Sequence[int] | None = None,
    min_distances: dict[str, float] | None = None,
    report: Report = no_report,
) -> list[Candidate]:
    """Return random structures of a composition, each of which keeps the contact distances.

    Parameters
    ----------
    formula
        Composition, such as ``Ca3Ti2O7``.
    generator
        A name (``"symmetric"``, ``"blocks"``), settings such as :class:`~nucleate.Symmetric`, an
        object with ``generate(*, rng, max_formula_units)``, or a list of these. Default a mix of
        symmetric and blocks.
    n
        How many.
    seed
        Seed of all random numbers.
    max_atoms, formula_units
        Maximum number of atoms in a cell, and allowed numbers of formula units.
    space_groups
        Numbers of the allowed space groups; all generators must be able to keep to them.
    min_distances
        Minimum distances in Å by pair, such as ``{"O-O": 2.2}``.
    report
        Called while a generator makes a pool: with what is being done, how much of it is done,
        and how much there is.

    Returns
    -------
    list of Candidate
        Fewer than ``n``, with a warning, where no more are found.

    Raises
    ------
    InputError
        If the composition, a generator or a limit cannot be used.

    Examples
    --------
    >>> import nucleate as nc
    >>> pool = nc.generate("SrTiO3", "symmetric", n=3, max_atoms=5, seed=1)
    >>> [candidate.crystal.reduced_formula for candidate in pool]
    ['SrTiO3', 'SrTiO3', 'SrTiO3']
    """
    if n < 1:
        raise InputError(f"n = {n} is not a number of structures. Give 1 or more.")
    problem = {
        "max_atoms": max_atoms,
        "formula_units": None if formula_units is None else list(formula_units),
        "space_groups": None if space_groups is None else list(space_groups),
        "min_distances": min_distances,
    }
    source = _source(formula, _asked_for(generator, n), problem, seed, report)
    found = list(draws(source, n, seed=seed))
    if len(found) < n:
        warnings.warn(
            f"only {len(found)} of {n} structures were found: the limits are tight, or the "
            "generator is exhausted.",
            stacklevel=2,
        )
    return found


def generate_pool(
    formula: str,
    search: dict[str, Any],
    *,
    seed: int = 0,
    max_atoms: int | None = None,
    formula_units: Sequence[int] | None = None,
    space_groups: Sequence[int] | None = None,
    report: Report = no_report,
) -> RankedPool:
    """Return a generator with its ranked pool made.

    Parameters
    ----------
    formula, seed, max_atoms, formula_units, space_groups, report
        As in :func:`generate`.
    search
        Settings of a generator that makes a pool, such as ``{"kind": "graph-search"}``.

    Returns
    -------
    Generator
        ``members`` are the distinct structures, best first; ``account`` says what was
        evaluated and where the time went.

    Raises
    ------
    InputError
        If the graph network does not know an element, or the input cannot be used.
    """
    problem = {
        "max_atoms": max_atoms,
        "formula_units": None if formula_units is None else list(formula_units),
        "space_groups": None if space_groups is None else list(space_groups),
    }
    source = _source(formula, search, problem, seed, report)
    generator: Any = source.generators[0]
    if not hasattr(generator, "account"):
        raise InputError(
            f"{search.get('kind')} cannot serve {formula}. Use the generator symmetric or blocks "
            "(--generator symmetric on the command line)."
        )
    return generator


def makes_a_pool(kind: str) -> bool:
    """Return whether a generator can be given to :func:`generate_pool`."""
    return MAKES_A_POOL in find(kind, "generators").supports


def write_pool(path: Path, pool: RankedPool) -> None:
    """Write the crystals of a ranked pool with their provenance, best first (extxyz)."""
    from nucleate.generate.pool_files import write_pool as write

    write(path, pool.members, name=pool.name)


def write_candidates(path: Path, found: Sequence[Candidate]) -> None:
    """Write candidates with their sources to an extxyz file."""
    from nucleate.crystal.files import write_extxyz

    frames = [
        (f"mix-{place}", item.crystal, {"source": item.origin.source, **item.origin.detail})
        for place, item in enumerate(found)
    ]
    write_extxyz(path, frames)


def _asked_for(generator: Any, n: int) -> list[Any] | None:
    """Return generators as an input has them; one that stands alone makes as many as are wanted."""
    from nucleate.api.generators import as_generators

    generators = as_generators(generator)
    if generators is None or len(generators) != 1 or not isinstance(generators[0], dict):
        return generators
    [alone] = generators
    fields = find(str(alone.get("kind")), "generators").model_fields
    if "number" not in fields or "number" in alone:
        return generators
    most = next((item.le for item in fields["number"].metadata if hasattr(item, "le")), n)
    return [{**alone, "number": min(n, most)}]


def _source(
    formula: str, generator: Any, problem: dict[str, Any], seed: int, report: Report
) -> GeneratorMix:
    from nucleate.api.generators import as_generators
    from nucleate.api.inputs import settings_of
    from nucleate.run.predict import build_source

    search = {"seed": seed, "generators": as_generators(generator)}
    settings = settings_of(formula, {"problem": problem, "search": search})
    return build_source(settings, report=report)


def draws(source: GeneratorMix, n: int, *, seed: int) -> Iterator[Candidate]:
    """Yield at most ``n`` candidates; ends when nothing valid was drawn many times in a row."""
    found, failures = 0, 0
    for draw in range(n * FAILURES_IN_A_ROW):
        rng = np.random.default_rng(np.random.SeedSequence([seed, draw]))
        candidate = source.generate(rng=rng)
        failures = failures + 1 if candidate is None else 0
        if candidate is not None:
            source.note(candidate.origin)
            found += 1
            yield candidate
        if failures == FAILURES_IN_A_ROW or found == n:
            return
