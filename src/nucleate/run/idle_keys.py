"""Keys that have no effect beside the others of an input: refused, each with a sentence.

Accepted on purpose, as statements rather than requests: ``allow_tension`` without tension,
``known`` without a generator that uses known structures, ``library`` where ``known`` is off, a
generator of weight 0, rules of ``[stop]`` that another one comes before, and switches that are off
where there is nothing to switch off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.relax.capabilities import defaults_of
from nucleate.run.final_settings import OFF, polishing_tier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

    from nucleate.relax.settings import TierSettings
    from nucleate.run.settings import RunSettings

SINGLE_POINT = ("relax_cell", "fix_symmetry", "symmetrise_ang", "rattle_ang", "max_steps")
"""Keys of a tier that mean nothing to a single point."""

WALK = ("temperature", "melt_after", "melt_step", "melt_ceiling", "melted_moves")
"""Keys of basin hopping that mean nothing where nothing is moved."""

SWARM = (
    "particles", "topology", "attractors", "diversity", "inertia", "steps", "own_pull",
    "shared_pull", "patience",
)  # fmt: skip
"""Keys of a swarm that mean nothing where no particle takes a step."""


def refuse_idle_keys(settings: RunSettings) -> None:
    """Check that no key of an input is idle.

    Raises
    ------
    InputError
        For the first one that is: the key, why it has no effect, and the remedy.
    """
    checks = (_of_problem, _of_search, _of_stop, _of_generators, _of_tiers, _of_final, _of_run)
    for check in checks:
        for key, reason in check(settings):
            raise InputError(f"{key} has no effect {reason}; leave it out.")


def _asked(section: BaseModel, key: str, *others: Any) -> bool:
    """Return whether a key that a section has differs from its default and other values."""
    field = type(section).model_fields.get(key)
    if field is None:
        return False
    value = getattr(section, key)
    return value != field.get_default(call_default_factory=True) and value not in others


def _of_problem(settings: RunSettings) -> Iterator[tuple[str, str]]:
    problem = settings.problem
    if problem.compression is not None and problem.pressure_gpa == 0.0:
        yield "problem.compression", "where pressure_gpa = 0"


def _of_search(settings: RunSettings) -> Iterator[tuple[str, str]]:
    search = settings.search
    if getattr(search, "new_fraction", None) == 1.0:
        for key in ("moves", *WALK):
            if _asked(search, key):
                yield f"search.{key}", "where new_fraction = 1, as there are no moves"
    fixed = getattr(getattr(search, "policy", None), "kind", None) == "fixed"
    if fixed and getattr(search, "policy_from", None) is not None:
        yield "search.policy_from", "where policy = 'fixed', which learns nothing"
    if getattr(search, "swarm_fraction", None) == 0.0:
        for key in SWARM:
            if _asked(search, key):
                yield f"search.{key}", "where swarm_fraction = 0, as no particle takes a step"
    if getattr(search, "shared_pull", None) == 0.0:
        for key in ("topology", "attractors"):
            if _asked(search, key):
                yield f"search.{key}", "where shared_pull = 0, as nothing attracts a particle"
    first, last = getattr(search, "inertia", (1.0, 0.0))
    if first == last and _asked(search, "steps"):
        yield "search.steps", "where inertia does not decline"
    if getattr(search, "elites", 0) == getattr(search, "pool", None) and _asked(
        search, "most_children"
    ):
        yield "search.most_children", "where elites = pool, as no parent gives way"
    if getattr(search, "melt_step", None) == 0.0 and _asked(search, "melt_ceiling"):
        yield "search.melt_ceiling", "where melt_step = 0, as the walk never gets hotter"
    if getattr(search, "known", "all") == "no-prototype" and settings.stop.target is None:
        yield "search.known = 'no-prototype'", "without stop.target, whose type it would hold out"


def _of_stop(settings: RunSettings) -> Iterator[tuple[str, str]]:
    stop = settings.stop
    if stop.proven is not False and settings.problem.pressure_gpa != 0.0:
        yield "stop.proven", "where pressure_gpa is not 0, as proofs are about energies alone"
    if stop.proven is not True and _asked(stop, "proven_grids"):
        yield "stop.proven_grids", "without proven = true, which makes the proofs"


def _of_generators(settings: RunSettings) -> Iterator[tuple[str, str]]:
    by_search = getattr(settings.search, "known", "all")
    for place, item in enumerate(getattr(settings.search, "generators", ())):
        key = f"search.generators.{place} ({item.kind!r})"
        if not hasattr(item, "known"):
            continue
        use = item.known or by_search
        if use == "off":
            yield key, "where known = 'off', as no known structure is used"
        if use == "no-prototype" and settings.stop.target is None:
            yield f"{key} with known = 'no-prototype'", "without stop.target"


def _of_tiers(settings: RunSettings) -> Iterator[tuple[str, str]]:
    for tier in settings.tier:
        yield from _of_tier(tier)
    last = settings.tier[-1]
    if _asked(last, "promote"):
        yield f"tier.promote of {last.name!r}", "as it is the last tier"


def _of_tier(tier: TierSettings) -> Iterator[tuple[str, str]]:
    defaults = defaults_of(type(tier.engine))
    if not tier.relax:
        for key in SINGLE_POINT:
            if _asked(tier, key, defaults.get(key)):
                yield f"tier.{key} of {tier.name!r}", "where relax = false, a single point"
        if not tier.engine.is_program and _asked(tier, "wall_s", defaults.get("wall_s")):
            yield f"tier.wall_s of {tier.name!r}", "where relax = false, a single point"
        if _asked(tier.guards, "shortest_contact"):
            yield f"tier.guards.shortest_contact of {tier.name!r}", "where relax = false"
    elif tier.fix_symmetry and _asked(tier, "rattle_ang"):
        yield f"tier.rattle_ang of {tier.name!r}", "where fix_symmetry = true"
    elif not tier.relax_cell and _asked(tier, "max_stress_gpa", defaults.get("max_stress_gpa")):
        yield f"tier.max_stress_gpa of {tier.name!r}", "where relax_cell = false"


def _of_final(settings: RunSettings) -> Iterator[tuple[str, str]]:
    final, last = settings.final, settings.tier[-1]
    if final.best == 0:
        reason = "where final.best = 0"
    elif polishing_tier(last) is None:
        reason = f"as structures of {last.name!r} are not polished automatically"
    else:
        return
    for key, off in (("best", 0), ("window_ev_per_atom", None), ("budget", None), ("same", None),
                     ("judge", OFF)):  # fmt: skip
        if _asked(final, key, off):
            yield f"final.{key}", reason


def _of_run(settings: RunSettings) -> Iterator[tuple[str, str]]:
    if settings.run.python is not None and all(tier.python for tier in settings.tier):
        yield "run.python", "where every tier has a python of its own"
