"""A search of the face in a folder: the options of :func:`nucleate.predict` and what they start."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from nucleate.api.generators import as_generators
from nucleate.api.inputs import absolute, settings_of
from nucleate.api.models import as_tiers, has_objects, inline_executor
from nucleate.api.moves import as_choice
from nucleate.errors import InputError, NucleateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.report.displays import Display

_log = logging.getLogger(__name__)


class SearchFailedError(NucleateError):
    """Every structure of a search failed; the message has the first error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """The options of :func:`nucleate.predict`; None leaves a key as the input has it."""

    max_atoms: int | None = None
    formula_units: Sequence[int] | None = None
    oxidation_states: Mapping[str, int | Sequence[int]] | None = None
    pressure_gpa: float | None = None
    allow_tension: bool = False
    model: Any = None
    search: Any = None
    generators: Any = None
    known: str | None = None
    moves: Any = None
    seed: int | None = None
    time: str | float | None = None
    core_time: str | float | None = None
    structures: int | None = None
    without_improvement: int | None = None
    target: str | Path | None = None
    polish: int | None = None
    judge: Any = None
    workers: int | None = None
    threads: int | None = None

    def overrides(self) -> dict[str, dict[str, Any]]:
        """Return the keys of the input that they set, by section."""
        units = self.formula_units
        return {
            "": {
                "tier": None if self.model is None else as_tiers(self.model),
                "search": None if self.search is None else _search(self.search),
            },
            "problem": {
                "max_atoms": self.max_atoms,
                "formula_units": None if units is None else list(units),
                "oxidation_states": self.oxidation_states,
                "pressure_gpa": self.pressure_gpa,
                "allow_tension": self.allow_tension or None,
            },
            "search": {
                "seed": self.seed,
                "generators": as_generators(self.generators),
                "known": self.known,
                "moves": as_choice(self.moves),
            },
            "stop": {
                "structures": self.structures,
                "without_improvement": self.without_improvement,
                "target": absolute(self.target),
                "time": self.time,
                "core_time": self.core_time,
            },
            "final": {"best": self.polish, "judge": self.judge},
            "run": {"workers": self.workers, "threads": self.threads},
        }


def search_in(
    path: Path,
    problem: Any,
    options: SearchOptions,
    *,
    display: Display | bool = True,
    trust: bool = False,
    place: str = "",
) -> None:
    """Begin or continue the search of a run folder; arguments as in :func:`nucleate.predict`.

    Parameters
    ----------
    place
        Follows the formula in the title of the display.
    """
    from nucleate.api.final import finish, judge_of
    from nucleate.report.live import LivePage
    from nucleate.run.events import Several
    from nucleate.run.predict import predict
    from nucleate.signals import is_request

    settings = settings_of(problem, options.overrides(), folder=path, trust=trust)
    judge_of(settings.final)  # an unknown model is refused now
    tiers = [tier.name for tier in settings.tier]
    _log.info("search of %s by %s in %s", settings.problem.formula, " ".join(tiers), path)
    with display_of(display) as shown:
        shown.start(f"{settings.problem.formula}{place}", tiers)
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
    from nucleate.report.displays import NoDisplay, suitable_display

    if isinstance(display, bool):
        return suitable_display() if display else NoDisplay()
    return display


def _search(search: Any) -> dict[str, Any]:
    """Return a kind or settings of a search as an input file has it."""
    if isinstance(search, str):
        return {"kind": search}
    if isinstance(search, BaseModel):
        return search.model_dump()
    if isinstance(search, Mapping):
        return dict(cast("Mapping[str, Any]", search))
    raise InputError(
        f"search is a {type(search).__name__}. Give a kind such as 'basin-hopping', or settings."
    )
