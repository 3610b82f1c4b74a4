"""A search of any origin as the loop sees it: what it returns is checked, its errors name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.candidate import Candidate
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.errors import ContractError
from nucleate.faults import blaming, described
from nucleate.search.book import trial_of
from nucleate.search.record import SearchUpdate
from nucleate.search.search import Trial

if TYPE_CHECKING:
    from nucleate.crystal.space import SearchSpace
    from nucleate.search.record import Record
    from nucleate.search.search import Search, SearchProgress


class CheckedSearch:
    """A search whose answers are checked.

    Parameters
    ----------
    search
        The search.
    space
        What is searched; None if anything may be asked for.

    Raises
    ------
    ContractError
        By every method, if the search returns what it must not.
    ComponentError
        If it raises an error of its own.
    """

    def __init__(self, search: Search, space: SearchSpace | None = None) -> None:
        self._search = search
        self._space = space
        self.learns = bool(getattr(search, "learns", True))

    def ask(self) -> Trial | None:
        """Return what to try next, or None."""
        with blaming("search", self._search, "ask"):
            trial = self._search.ask()
        if trial is not None:
            check_trial(trial, self._search, self._space)
        return trial

    def tell(self, record: Record) -> SearchUpdate:
        """Take note of a finished record."""
        with blaming("search", self._search, "tell"):
            update = self._search.tell(record)
        if not isinstance(update, SearchUpdate):
            raise ContractError(
                f"the {described('search', self._search)} returned {update!r:.200} from its tell, "
                "which is no SearchUpdate. Correct its method tell."
            )
        return update

    def replay(self, record: Record, update: SearchUpdate) -> bytes:
        """Take note of a record of an earlier start, by the shorter way of a search that has it.

        Returns what the search wants to have back next time; empty for nothing.
        """
        replay = getattr(self._search, "replay", None)
        if replay is None:
            self.restore(trial_of(record))
            self.tell(record)
            return b""
        with blaming("search", self._search, "replay"):
            memo = replay(record, update)
        return memo if isinstance(memo, bytes) else b""

    def restore(self, trial: Trial) -> None:
        """Take note of a trial of an earlier start."""
        with blaming("search", self._search, "restore"):
            self._search.restore(trial)

    def stop_reason(self) -> str | None:
        """Return why the search is over by itself, or None."""
        with blaming("search", self._search, "stop_reason"):
            return self._search.stop_reason()

    @property
    def waits(self) -> bool:
        """Whether nothing can be asked for before an answer."""
        return bool(getattr(self._search, "waits", False))

    @property
    def progress(self) -> SearchProgress:
        """How far it is."""
        with blaming("search", self._search, "progress"):
            return self._search.progress


def check_trial(trial: object, search: Search, space: SearchSpace | None = None) -> None:
    """Check what a search asks for.

    Parameters
    ----------
    trial
        What `ask` returned.
    search
        Whose it is.
    space
        What is searched; None if anything may be asked for.

    Raises
    ------
    ContractError
        If it is no trial, or its crystal is not one of the space.
    """
    problem = _problem(trial, space)
    if problem:
        raise ContractError(
            f"the {described('search', search)} asked for something it must not: {problem}. "
            "Correct its method ask."
        )


def _problem(trial: object, space: SearchSpace | None) -> str:
    if not isinstance(trial, Trial):
        return f"{trial!r:.200} is no Trial"
    if not isinstance(trial.candidate, Candidate) or not isinstance(
        trial.candidate.crystal, Crystal
    ):
        return f"trial {trial.number} has no Candidate with a Crystal"
    crystal = trial.candidate.crystal
    if space is None:
        return ""
    if space.composition.formula_units_of(crystal.numbers) is None:
        found = Composition.from_numbers(crystal.numbers).formula
        return f"trial {trial.number} is {found}, not {space.composition.formula}"
    if crystal.n_atoms > space.max_atoms:
        return f"trial {trial.number} has {crystal.n_atoms} atoms, more than {space.max_atoms}"
    return ""
