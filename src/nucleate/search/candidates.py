"""What a search asks for is checked before anything is done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.candidate import Candidate
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.errors import ContractError
from nucleate.search.search import Trial

if TYPE_CHECKING:
    from nucleate.crystal.space import SearchSpace
    from nucleate.search.search import Search


def name_of(search: Search) -> str:
    """Return the name of a search for messages."""
    return f"{type(search).__module__}:{type(search).__qualname__}"


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
            f"the search {name_of(search)} asked for something it must not: {problem}. Correct "
            "its method ask."
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
