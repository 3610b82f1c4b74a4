"""``nucleate check``: whether the input is right and every tier works."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.run.events import Silent

if TYPE_CHECKING:
    from typer import Typer

    from nucleate.crystal.candidate import Candidate
    from nucleate.relax.outcome import Outcome
    from nucleate.relax.settings import TierSettings
    from nucleate.run.settings import RunSettings
    from nucleate.search.record import Record, SearchUpdate

STEPS = 3
DRAWS = 50


def register(app: Typer) -> None:
    """Add the command to the app."""
    app.command()(check)


def check(
    problem: Annotated[str, typer.Argument(help="Input file, or a formula.")] = "run.toml",
    tier: Annotated[list[str] | None, typer.Option(help="As of predict.")] = None,
    max_atoms: Annotated[int | None, typer.Option(help="As of predict.")] = None,
    external: Annotated[
        bool, typer.Option(help="Run external programs too, which may take minutes.")
    ] = False,
) -> None:
    """Check an input and run one tiny relaxation through every tier."""
    from nucleate.cli import inputs

    overrides = {
        "problem": inputs.given(max_atoms=max_atoms),
        "": inputs.given(tier=inputs.parse_all(inputs.parse_tier, tier)),
    }
    settings, _ = inputs.read_input(problem, overrides, Path("/nonexistent"))
    _describe(settings)
    if not (_find_programs(settings) and _relax(_to_run(settings, external))):
        raise typer.Exit(1)
    typer.echo("Everything works.")


def _describe(settings: RunSettings) -> None:
    space = settings.problem.space()
    composition = space.composition
    states = composition.oxidation_states or {}
    charges = ", ".join(f"{symbol} {state:+d}" for symbol, state in states.items())
    typer.echo(
        f"{composition.formula}: {composition.n_atoms} atoms a formula unit, "
        f"{_range(space.formula_units)} formula units, at most {space.max_atoms} atoms"
    )
    typer.echo(f"oxidation states ({composition.oxidation_source}): {charges or 'none'}")
    typer.echo(f"expected volume: {composition.volume_per_atom:.1f} Å³ per atom")


def _range(units: tuple[int, ...]) -> str:
    if len(units) > 2 and units == tuple(range(units[0], units[-1] + 1)):
        return f"{units[0]} to {units[-1]}"
    return ", ".join(map(str, units))


def _find_programs(settings: RunSettings) -> bool:
    """Say what keeps a tier from running; return whether nothing does."""
    elements = [symbol for symbol, _ in settings.problem.space().composition.items]
    works = True
    for tier in settings.tier:
        problems = tier.engine.problems(elements)
        for problem in problems:
            typer.echo(f"tier {tier.name}: {problem}")
        works = works and not problems
        if tier.engine.is_program and not problems:
            typer.echo(f"tier {tier.name}: {tier.engine.kind} is there with all it needs")
    return works


def _to_run(settings: RunSettings, external: bool) -> RunSettings:
    """Return the settings with external programs at a single point, or left out."""
    tiers = [
        tier.model_copy(update={"relax": False}) if tier.engine.is_program else tier
        for tier in settings.tier
        if external or not tier.engine.is_program
    ]
    return settings.model_copy(update={"tier": tuple(tiers)})


def _relax(settings: RunSettings) -> bool:
    """Relax a small structure a few steps on every tier; return whether all gave an energy."""
    import numpy as np

    from nucleate.run.predict import build_ladder, build_search, build_source, build_target

    if not settings.tier:
        return True
    build_search(settings)
    build_target(settings)
    build_ladder(settings)
    source = build_source(_with_small_pools(settings))
    smallest = settings.problem.space().formula_units[0]
    draws = (
        source.generate(rng=np.random.default_rng(seed), max_formula_units=smallest)
        for seed in range(DRAWS)
    )
    candidate = next((item for item in draws if item is not None), None)
    if candidate is None:
        typer.echo(
            "No valid structure could be drawn: the limits of the search space are too tight."
        )
        return False
    return all(list(map(partial(_works, settings, candidate), settings.tier)))


def _works(settings: RunSettings, candidate: Candidate, tier: TierSettings) -> bool:
    """Relax a structure a few steps on a tier; return whether that gives an energy."""
    from nucleate.relax.ladder import Ladder
    from nucleate.relax.outcome import Relaxed
    from nucleate.run.campaign import Campaign
    from nucleate.run.journal import NoJournal
    from nucleate.run.pool import Pool
    from nucleate.run.predict import worker_spec
    from nucleate.search.listed import ListSearch
    from nucleate.search.search import Trial

    short = tier.model_copy(update={"max_steps": STEPS})
    seen = _Last()
    with Pool(worker_spec(settings.model_copy(update={"tier": (short,)})), workers=1) as pool:
        pool.wait_until_ready()
        start = time.monotonic()
        search = ListSearch([Trial(0, candidate)])
        Campaign(NoJournal(), search, Ladder([short]), pool, callback=seen).run()
        seconds = time.monotonic() - start
    outcome = seen.outcome
    if isinstance(outcome, Relaxed):
        level = outcome.level
        typer.echo(
            f"tier {tier.name}: {level.model} ({level.code} {level.version}) gives "
            f"{outcome.energy_per_atom:.3f} {level.unit}/atom for {outcome.crystal.formula}"
            f" after {outcome.steps} steps in {seconds:.1f} s"
        )
        return True
    if outcome is not None:
        typer.echo(f"tier {tier.name} failed ({outcome.reason}): {outcome.message}")
    return False


class _Last(Silent):
    """Keeps the last outcome of the last record."""

    outcome: Outcome | None = None

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:  # noqa: ARG002
        """Keep it."""
        self.outcome = record.outcomes[-1].outcome if record.outcomes else None


def _with_small_pools(settings: RunSettings) -> RunSettings:
    """Return the settings with a graph search of seconds in place of minutes."""
    small = {"number": 40, "refined": 5, "descent_steps": 1, "most_formula_units": 1}
    generators = tuple(
        item.model_copy(update=small) if set(small) <= set(type(item).model_fields) else item
        for item in settings.search.generators
    )
    search = settings.search.model_copy(update={"generators": generators})
    return settings.model_copy(update={"search": search})
