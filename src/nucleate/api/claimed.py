"""Searches of a table that several commands divide among themselves, row by row."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

from nucleate.api.final import finish
from nucleate.api.models import has_objects, inline_executor
from nucleate.errors import NucleateError
from nucleate.run.claims import claim, holder_of
from nucleate.run.predict import opened
from nucleate.signals import is_request, stopping_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nucleate.run.campaign import Campaign
    from nucleate.run.claims import Claim
    from nucleate.run.events import Summary
    from nucleate.run.many import Wanted

    Say = Callable[[str], None]

TAKEN_OVER = "another command has taken the search over"
"""Why a search ends whose claim was taken for given up."""


def search_claimed(wanted: Sequence[Wanted], folder: Path, say: Say) -> dict[str, str]:
    """Search for what nobody else does, one row after the other; return why some cannot be.

    Parameters
    ----------
    wanted
        All rows in the order in which they are taken.
    folder
        Holds a folder for each.
    say
        Called with a line when a search begins or ends.
    """
    refused: dict[str, str] = {}
    for item in wanted:
        search = _Row(item, folder, say)
        try:
            with_claim = claim(folder, item.name, _digest(item), search.lose)
            if with_claim is None:
                _say_who_has(item.name, folder, say)
                continue
            with with_claim as held:
                is_asked_to_end = search.run(held)
        except NucleateError as error:
            refused[item.name] = str(error)
            say(f"{item.name}: cannot be searched: {error}")
            continue
        if is_asked_to_end:
            break
    return refused


class _Row:
    """The search of a row."""

    def __init__(self, item: Wanted, folder: Path, say: Say) -> None:
        self._item = item
        self._path = folder / item.name
        self._say = say
        self._campaign: Campaign | None = None

    def lose(self) -> None:
        """End the search: somebody else has its claim."""
        if self._campaign is not None:
            self._campaign.request_stop(TAKEN_OVER)

    def run(self, held: Claim) -> bool:
        """Search to the end; return whether somebody has asked for the end of the command."""
        settings, name = self._item.settings, self._item.name
        executor = None
        if has_objects(settings.tier):
            executor = partial(inline_executor, pressure_gpa=settings.problem.pressure_gpa)
        with opened(settings, self._path, executor=executor) as campaign:
            self._campaign = campaign
            self._say(f"{name}: begun")
            with stopping_on_signals(campaign.request_stop):
                summary = campaign.run()
            self._campaign = None
        self._say(f"{name}: {summary.n_structures} structures, {summary.reason}")
        if summary.error:
            self._say(f"{name}: {summary.error.splitlines()[0]}")
        if is_request(summary.reason):
            return True
        if not summary.error and summary.reason != TAKEN_OVER:
            self._finish(summary)
            held.end(summary.reason)
        return False

    def _finish(self, summary: Summary) -> None:
        if summary.best is not None:
            for line in finish(self._path, self._item.settings).text:
                self._say(f"{self._item.name}: {line}")


def _say_who_has(name: str, folder: Path, say: Say) -> None:
    holder = holder_of(folder, name)
    say(f"{name}: has ended" if holder is None else f"{name}: claimed by {holder.in_words()}")


def _digest(item: Wanted) -> str:
    """Return what changes when the input of a search does."""
    return hashlib.sha256(item.settings.model_dump_json().encode()).hexdigest()[:16]
