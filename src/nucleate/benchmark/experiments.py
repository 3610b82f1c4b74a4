"""The experiments: how a compound is searched, as the input of ``predict``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.benchmark.compounds import MAX_ATOMS
from nucleate.errors import InputError
from nucleate.generate.context import MAKES_A_POOL
from nucleate.generate.graph_search.pool import Plan
from nucleate.plugins import find
from nucleate.run.presets import over_preset
from nucleate.run.settings import RunSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NEVER = 10**9
"""``stop.without_improvement`` of all runs: the budget alone ends a run."""

POOL_SHARE = 0.25
"""Part of the budget that the pool of the graph search is sized for."""

ATOM_S, EVALUATED_PER_REFINED = 6.5e-4, 25
"""Core seconds that an atom of an evaluated crystal costs in that pool, its part of the refinement
included (measured on CoAs2, WCl2 and YWB4), and how many are evaluated for each that is refined."""

MOST_EVALUATED, LEAST_EVALUATED = 5000, 100


PAPER = "fuse2"
"""Preset of the paper's experiments, which is its mlgen."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One way to search.

    Attributes
    ----------
    name : str
        Name in folders and tables.
    generators : tuple of str
        Kinds of generators; none means the defaults of ``predict``.
    is_proxy_first : bool
        Whether the proxy potentials relax every structure before the MLIP does.
    description : str
        For tables.
    preset : str or None
        Name of the preset that it begins with; its generators and tiers stay where none are named
        here.
    kind : str or None
        Kind of search; None means that of the preset, or the default of ``predict``.
    """

    name: str
    generators: tuple[str, ...]
    is_proxy_first: bool
    description: str
    preset: str | None = None
    kind: str | None = None


EXPERIMENTS = (
    Experiment(
        "default",
        generators=(),
        is_proxy_first=False,
        description="predict as it is",
    ),
    Experiment(
        "fgen",
        generators=("blocks",),
        is_proxy_first=False,
        description="random blocks, then moves",
        preset=PAPER,
    ),
    Experiment(
        "fgen-SPP",
        generators=("blocks",),
        is_proxy_first=True,
        description="as fgen, relaxed by the proxy potentials first",
        preset=PAPER,
    ),
    Experiment(
        "mlgen",
        generators=(),
        is_proxy_first=False,
        description="the pool of the graph network, then moves",
        preset=PAPER,
    ),
    Experiment(
        "mlgen-SPP",
        generators=(),
        is_proxy_first=True,
        description="as mlgen, relaxed by the proxy potentials first",
        preset=PAPER,
    ),
    Experiment(
        "symmetric",
        generators=("symmetric",),
        is_proxy_first=False,
        description="symmetric random crystals and moves",
    ),
    Experiment(
        "all",
        generators=("symmetric", "blocks", "graph-search"),
        is_proxy_first=False,
        description="all generators together and moves",
    ),
)

SEARCHES = ("basin-hopping", "evolution", "swarm", "random")
"""Searches besides the default, each an experiment of its own."""

EXPERIMENTS += tuple(
    Experiment(
        kind,
        generators=(),
        is_proxy_first=False,
        description=f"predict --search {kind}",
        kind=kind,
    )
    for kind in SEARCHES
)

PAPER_EXPERIMENTS = ("fgen", "fgen-SPP", "mlgen", "mlgen-SPP")
"""The four of the paper."""

_BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}


def experiment_named(name: str) -> Experiment:
    """Return an experiment.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    try:
        return _BY_NAME[name]
    except KeyError:
        raise InputError(
            f"--experiments = {name!r} is not known. Use some of {', '.join(_BY_NAME)}."
        ) from None


def experiment_input(
    experiment: Experiment,
    formula: str,
    *,
    seed: int,
    core_time_s: float,
    workers: int,
    last_tiers: Sequence[dict[str, Any]] = (),
    problem: dict[str, Any] | None = None,
    known: str = "off",
    library: Sequence[str] = ("shipped",),
) -> RunSettings:
    """Return the input of one run.

    Parameters
    ----------
    experiment
        How to search.
    formula
        Composition.
    seed
        Of the run.
    core_time_s
        Budget in core seconds, the making of a pool included.
    workers
        Worker processes.
    last_tiers
        Tiers after CHGNet, as in the input file.
    problem
        What else is known of the problem; default: at most 50 atoms.
    known, library
        Which known structures may be used, and the libraries they are from.

    Raises
    ------
    InputError
        If the tiers cannot be used, or known structures are to be used by an experiment that has
        no generator for them.
    """
    what = {"formula": formula, **({"max_atoms": MAX_ATOMS} if problem is None else problem)}
    generators: list[dict[str, Any]] = [{"kind": kind} for kind in experiment.generators]
    data: dict[str, Any] = {
        "problem": what,
        "search": {"seed": seed, "known": known},
        "stop": {"without_improvement": NEVER, "core_time": core_time_s},
        "run": {"workers": workers},
    }
    if known != "off":
        data["search"]["library"] = list(library)
    if generators:
        data["search"]["generators"] = generators
    if experiment.kind is not None:
        data["search"]["kind"] = experiment.kind
    if experiment.preset is not None:
        data = over_preset(data, experiment.preset)
    first = _first_tiers(data)
    proxy = {
        "name": "spp",
        "engine": {"kind": "spp"},
        "symmetrise_ang": first[0].get("symmetrise_ang", 0.0),
    }
    data["tier"] = [*([proxy] if experiment.is_proxy_first else []), *first, *last_tiers]
    for generator in generators:
        if MAKES_A_POOL in find(generator["kind"], "generators").supports:
            space = RunSettings.from_dict(data).problem.space()
            n_atoms = space.composition.n_atoms
            generator |= pool_size(core_time_s, [n_atoms * z for z in Plan().formula_units(space)])
    return RunSettings.from_dict(data)


def _first_tiers(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tiers of an input, CHGNet where it has none."""
    return data.get("tier", [{"name": "chgnet", "engine": {"kind": "chgnet"}}])


def pool_size(core_time_s: float, sizes: Sequence[int]) -> dict[str, int]:
    """Return the numbers of the graph search whose pool takes about a quarter of the budget.

    Parameters
    ----------
    core_time_s
        The budget.
    sizes
        Atoms of the cells that are searched.
    """
    number = int(POOL_SHARE * core_time_s / (ATOM_S * sum(sizes)))
    number = min(max(number, LEAST_EVALUATED), MOST_EVALUATED)
    return {"number": number, "refined": number // EVALUATED_PER_REFINED}


def read_tiers(path: Path) -> list[dict[str, Any]]:
    """Return the ``[[tier]]`` tables of a TOML file, such as a DFT code that is set up here.

    Raises
    ------
    InputError
        If the file cannot be read or has no tier.
    """
    from nucleate.run.settings import read_toml

    tiers = read_toml(path).get("tier")
    if not isinstance(tiers, list) or not tiers:
        raise InputError(f"--tier = {path} has no [[tier]] table. Add one, as in an input file.")
    return tiers
