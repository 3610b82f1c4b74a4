"""Whether an input is right and every tier works."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nucleate.api.inputs import settings_of
from nucleate.api.models import as_tiers
from nucleate.relax.outcome import Relaxed
from nucleate.run.learning.begin import check_source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nucleate.crystal.crystal import Crystal
    from nucleate.plugins import Component
    from nucleate.relax.settings import TierSettings
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
        As in :func:`nucleate.predict`.
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
        "": {"tier": None if model is None else as_tiers(model)},
    }
    settings = settings_of(problem, overrides)
    check_source(settings)
    _describe(settings, say)
    return _find_programs(settings, say) and _relax(_to_run(settings, external), say)


def _describe(settings: RunSettings, say: Say) -> None:
    space = settings.problem.space()
    composition = space.composition
    states = composition.oxidation_states or {}
    charges = ", ".join(f"{symbol} {_charge(state)}" for symbol, state in states.items())
    say(
        f"{composition.formula}: {composition.n_atoms} atoms per formula unit, "
        f"{_range(space.formula_units)} formula units, at most {space.max_atoms} atoms"
    )
    say(f"oxidation states ({composition.oxidation_source}): {charges or 'none'}")
    say(f"expected volume: {composition.volume_per_atom:.1f} Å³ per atom")
    if is_molecular(composition.counts):
        say(
            f"note: {composition.formula} usually forms molecules, and molecules are not searched "
            "as molecules: atoms are placed one by one, and few starts have the molecule that you "
            "may have in mind. Programs for molecular crystals serve better."
        )


MOLECULAR = frozenset({"H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I"})
"""Elements whose compounds with each other are molecules, nearly all of them."""


def is_molecular(counts: Mapping[str, int]) -> bool:
    """Return whether a composition usually forms molecules (carbon alone does not)."""
    return set(counts) <= MOLECULAR and set(counts) != {"C"}


def _charge(state: float) -> str:
    return f"{int(state):+d}" if state == int(state) else f"{state:+.2f} on average"


def _range(units: tuple[int, ...]) -> str:
    if len(units) > 2 and units == tuple(range(units[0], units[-1] + 1)):
        return f"{units[0]} to {units[-1]}"
    return ", ".join(map(str, units))


def _find_programs(settings: RunSettings, say: Say) -> bool:
    """Say what keeps a tier from running; return whether nothing does."""
    elements = [symbol for symbol, _ in settings.problem.space().composition.items]
    works = True
    for tier in settings.tier:
        problems = tier.engine.problems(elements)
        for problem in problems:
            say(f"tier {tier.name}: {problem}")
        works = works and not problems
        if tier.engine.is_program and not problems:
            say(f"tier {tier.name}: {tier.engine.kind} is installed with everything it needs")
    return works


def _to_run(settings: RunSettings, external: bool) -> RunSettings:
    """Return the settings with external programs at a single point, or left out."""
    tiers = [
        tier.model_copy(update={"relax": False}) if tier.engine.is_program else tier
        for tier in settings.tier
        if external or not tier.engine.is_program
    ]
    return settings.model_copy(update={"tier": tuple(tiers)})


def _relax(settings: RunSettings, say: Say) -> bool:
    """Relax a small structure a few steps on every tier; return whether all gave an energy."""
    from nucleate.api.final import judge_of
    from nucleate.run.predict import build_ladder, build_search, build_target

    if not settings.tier:
        return True
    build_search(settings)
    build_target(settings)
    judge_of(settings.final)
    build_ladder(settings)
    crystal = _small_structure(settings)
    if crystal is None:
        say("No valid structure could be drawn: the limits of the search space are too tight.")
        return False
    return all([_works(settings, tier, crystal, say) for tier in settings.tier])  # noqa: C419


def _works(settings: RunSettings, tier: TierSettings, crystal: Crystal, say: Say) -> bool:
    """Relax a structure a few steps on a tier; return whether that gives an energy."""
    from nucleate.api.relax import relax

    start = time.monotonic()
    outcome = relax(
        crystal,
        model=tier.model_copy(update={"python": tier.python or settings.run.python}),
        pressure_gpa=settings.problem.pressure_gpa,
        max_steps=STEPS,
        workers=1,
    )
    seconds = time.monotonic() - start
    if isinstance(outcome, Relaxed):
        level = outcome.level
        say(
            f"tier {tier.name}: {level.model} ({level.code} {level.version}) gives "
            f"{outcome.energy_per_atom:.3f} {level.unit}/atom for {outcome.crystal.formula} "
            f"after {outcome.steps} step{'' if outcome.steps == 1 else 's'} in {seconds:.1f} s"
        )
        return True
    say(f"tier {tier.name} failed ({outcome.reason}): {outcome.message}")
    return False


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
    small = {"number": 40, "refined": 5, "descent_steps": 1, "most_formula_units": 1}
    given: tuple[Component, ...] = getattr(settings.search, "generators", ())
    if not given:
        return settings
    generators = tuple(
        item.model_copy(update=small) if set(small) <= set(type(item).model_fields) else item
        for item in given
    )
    search = settings.search.model_copy(update={"generators": generators})
    return settings.model_copy(update={"search": search})
