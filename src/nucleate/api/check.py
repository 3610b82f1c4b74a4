"""Whether an input is right and every tier works."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nucleate.api.inputs import settings_of
from nucleate.api.models import tier_dicts

if TYPE_CHECKING:
    from collections.abc import Callable

    from nucleate.crystal.crystal import Crystal
    from nucleate.run.settings import RunSettings

    Say = Callable[[str], None]

STEPS = 3
DRAWS = 50


def check(
    problem: Any,
    *,
    max_atoms: int | None = None,
    model: Any = None,
    external: bool = False,
    say: Say = lambda _: None,
) -> bool:
    """Check an input and run one tiny relaxation through every tier.

    Parameters
    ----------
    problem, max_atoms, model
        As of :func:`nucleate.predict`.
    external
        Run external programs too, which may take minutes.
    say
        Called with each line of the findings.

    Returns
    -------
    bool
        Whether everything works.

    Raises
    ------
    InputError
        If the input cannot be used.
    """
    overrides: dict[str, dict[str, Any]] = {
        "problem": {"max_atoms": max_atoms},
        "": {"tier": None if model is None else tier_dicts(model)},
    }
    settings = settings_of(problem, overrides)
    _describe(settings, say)
    return _find_programs(settings, say) and _relax(_to_run(settings, external), say)


def _describe(settings: RunSettings, say: Say) -> None:
    space = settings.problem.space()
    composition = space.composition
    states = composition.oxidation_states or {}
    charges = ", ".join(f"{symbol} {state:+d}" for symbol, state in states.items())
    say(
        f"{composition.formula}: {composition.n_atoms} atoms per formula unit, "
        f"{_range(space.formula_units)} formula units, at most {space.max_atoms} atoms"
    )
    say(f"oxidation states ({composition.oxidation_source}): {charges or 'none'}")
    say(f"expected volume: {composition.volume_per_atom:.1f} Å³ per atom")


def _range(units: tuple[int, ...]) -> str:
    if len(units) > 2 and units == tuple(range(units[0], units[-1] + 1)):
        return f"{units[0]} to {units[-1]}"
    return ", ".join(map(str, units))


def _find_programs(settings: RunSettings, say: Say) -> bool:
    """Say what keeps a tier from running; return whether nothing does."""
    from nucleate.programs.settings import ExternalSettings
    from nucleate.relax.settings import find_problems

    elements = [symbol for symbol, _ in settings.problem.space().composition.items]
    works = True
    for tier in settings.tier:
        problems = find_problems(tier, elements)
        for problem in problems:
            say(f"tier {tier.name}: {problem}")
        works = works and not problems
        if isinstance(tier.engine, ExternalSettings) and not problems:
            say(f"tier {tier.name}: {tier.engine.kind} and all it needs are installed")
    return works


def _to_run(settings: RunSettings, external: bool) -> RunSettings:
    """Return the settings with external programs at a single point, or left out."""
    from nucleate.programs.settings import ExternalSettings

    tiers = [
        tier.model_copy(update={"relax": False})
        if isinstance(tier.engine, ExternalSettings)
        else tier
        for tier in settings.tier
        if external or not isinstance(tier.engine, ExternalSettings)
    ]
    return settings.model_copy(update={"tier": tuple(tiers)})


def _relax(settings: RunSettings, say: Say) -> bool:
    """Relax a small structure a few steps on every tier; return whether all gave an energy."""
    from nucleate.relax.outcome import Relaxed
    from nucleate.run.pool import Pool, wait_until_ready
    from nucleate.run.predict import build_ladder, build_search, worker_spec
    from nucleate.run.process import Job

    if not settings.tier:
        return True
    build_search(settings)
    build_ladder(settings)
    crystal = _small_structure(settings)
    if crystal is None:
        say("No valid structure could be drawn: the limits of the search space are too tight.")
        return False
    short = tuple(tier.model_copy(update={"max_steps": STEPS}) for tier in settings.tier)
    works = True
    with Pool(worker_spec(settings.model_copy(update={"tier": short})), workers=1) as pool:
        wait_until_ready(pool)
        for position, tier in enumerate(settings.tier):
            start = time.monotonic()
            pool.submit(Job(position, position, crystal))
            pool.feed()
            finished = pool.poll(0.1)
            while not finished:
                finished = pool.poll(0.1)
                pool.feed()
            outcome, seconds = finished[0].outcome, time.monotonic() - start
            if isinstance(outcome, Relaxed):
                level = outcome.level
                say(
                    f"tier {tier.name}: {level.model} ({level.code} {level.version}) gives "
                    f"{outcome.energy_per_atom:.3f} {level.unit}/atom for {outcome.crystal.formula}"
                    f" after {outcome.steps} steps in {seconds:.1f} s"
                )
            else:
                works = False
                say(f"tier {tier.name} failed ({outcome.reason}): {outcome.message}")
    return works


def _small_structure(settings: RunSettings) -> Crystal | None:
    """Return a structure of the smallest cell by the generators of the input."""
    import numpy as np

    from nucleate.run.predict import build_source

    source = build_source(_with_small_pools(settings))
    smallest = settings.problem.space().formula_units[0]
    draws = (
        source.generate(rng=np.random.default_rng(seed), max_formula_units=smallest)
        for seed in range(DRAWS)
    )
    return next((item.crystal for item in draws if item is not None), None)


def _with_small_pools(settings: RunSettings) -> RunSettings:
    """Return the settings with a graph search of seconds in place of minutes."""
    from nucleate.generate.settings import GraphSearchSettings

    small = {"number": 40, "refined": 5, "descent_steps": 1, "most_formula_units": 1}
    generators = tuple(
        item.model_copy(update=small) if isinstance(item, GraphSearchSettings) else item
        for item in settings.search.generators
    )
    search = settings.search.model_copy(update={"generators": generators})
    return settings.model_copy(update={"search": search})
