"""A search of the face in a folder: the options of :func:`nucleate.predict` and what they start."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from nucleate.api.generators import as_generators
from nucleate.api.inputs import absolute, executor_section, libraries, settings_of
from nucleate.api.models import as_tiers, has_objects, inline_executor
from nucleate.api.moves import as_choice
from nucleate.errors import InputError, NucleateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nucleate.report.displays import Display

_log = logging.getLogger(__name__)


class SearchFailedError(NucleateError):
    """Every structure of a search failed; the message has the first error."""


PLACES = {
    "": {"model": "tier", "search": "search", "executor": "executor"},
    "problem": {
        key: key
        for key in (
            "max_atoms", "formula_units", "oxidation_states", "pressure_gpa", "allow_tension",
        )
    },
    "search": {
        key: key
        for key in (
            "seed", "generators", "known", "library", "moves", "policy", "policy_from",
        )
    },
    "stop": {
        key: key
        for key in ("structures", "without_improvement", "target", "proven", "time", "core_time")
    },
    "final": {"polish": "best", "judge": "judge"},
    "surrogate": {"learn": "on", "learn_from": "learn_from"},
    "run": {"workers": "workers", "threads": "threads"},
}  # fmt: skip
"""Key of the input by the option of :func:`nucleate.predict` that sets it, for each section."""


def overrides_of(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the keys of the input that options set, by section; None leaves a key as it is.

    Raises
    ------
    TypeError
        If there is no such option.
    InputError
        If the value of one cannot be used.
    """
    unknown = options.keys() - {name for keys in PLACES.values() for name in keys}
    if unknown:
        raise TypeError(f"predict() has no option {', '.join(sorted(unknown))}")
    convert: dict[str, Callable[[Any], Any]] = {
        "model": as_tiers,
        "search": _search,
        "executor": executor_section,
        "formula_units": list,
        "allow_tension": lambda allowed: allowed or None,
        "generators": as_generators,
        "library": libraries,
        "moves": as_choice,
        "target": absolute,
        "proven": lambda place: place if isinstance(place, bool) else absolute(place),
        "policy_from": absolute,
        "learn_from": absolute,
        "learn": lambda learn: learn or None,
    }
    if options.get("learn_from") is not None:
        options = {"learn": True, **{k: v for k, v in options.items() if k != "learn" or v}}
    given = {
        name: convert[name](value) if name in convert else value
        for name, value in options.items()
        if value is not None
    }
    found = {
        section: {key: given.get(name) for name, key in keys.items()}
        for section, keys in PLACES.items()
    }
    kind = found[""]["search"]
    if isinstance(kind, str):  # leaves the other keys of the section
        found[""]["search"], found["search"]["kind"] = None, kind
    return found


def search_in(
    path: Path,
    problem: Any,
    options: Mapping[str, Any],
    *,
    display: Display | bool = True,
    preset: str | None = None,
    trust: bool = False,
    place: str = "",
) -> None:
    """Begin or continue the search of a run folder; arguments as in :func:`nucleate.predict`.

    Parameters
    ----------
    options
        Those of :func:`overrides_of`.
    place
        Follows the formula in the title of the display.
    """
    from nucleate.api.final import finish, judge_of
    from nucleate.report.live import LivePage
    from nucleate.report.naming import libraries_of
    from nucleate.run.events import Several
    from nucleate.run.final_settings import AUTO
    from nucleate.run.predict import predict
    from nucleate.run.present import check_present
    from nucleate.signals import is_request

    overrides = overrides_of(options)
    settings = settings_of(problem, overrides, folder=path, preset=preset, trust=trust)
    judge = judge_of(settings.final)  # an unknown model is refused now
    if settings.executor.kind == "local":
        for tier in settings.tier:
            check_present(f"tier {tier.name!r}", tier, settings.run.python)
        if judge is not None and settings.final.judge != AUTO:
            check_present("final.judge", judge, settings.run.python)
    tiers = [tier.name for tier in settings.tier]
    _log.info("search of %s by %s in %s", settings.problem.formula, " ".join(tiers), path)
    libraries = libraries_of({"input": settings.to_dict()})
    with display_of(display) as shown:
        shown.start(f"{settings.problem.formula}{place}", tiers, libraries)
        executor = None
        if has_objects(settings.tier):
            pressure = settings.problem.pressure_gpa
            executor = partial(inline_executor, pressure_gpa=pressure)
        watching = Several([shown, LivePage(path)]) if display else shown
        summary = predict(settings, path, callback=watching, executor=executor)
        if not summary.error and not is_request(summary.reason) and summary.best is not None:
            for line in finish(path, settings, on_stage=shown.on_stage).text:
                _log.info("%s", line)
    if summary.error:
        raise SearchFailedError(f"{summary.reason}. The first error was:\n{summary.error}")


def display_of(display: Display | bool) -> Display:
    """Return the display that an argument ``display=`` means."""
    from nucleate.report.displays import NoDisplay
    from nucleate.report.live_display import suitable_display

    if isinstance(display, bool):
        return suitable_display() if display else NoDisplay()
    return display


def _search(search: Any) -> str | dict[str, Any]:
    """Return a kind as it is, or settings of a search as an input file has them."""
    if isinstance(search, str):
        return search
    if isinstance(search, BaseModel):
        return search.model_dump()
    if isinstance(search, Mapping):
        return dict(cast("Mapping[str, Any]", search))
    raise InputError(
        f"search is a {type(search).__name__}. Give a kind such as 'basin-hopping', or settings."
    )
