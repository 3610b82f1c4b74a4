"""Keys of an input that each are right and do not fit each other: refused with the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.moves.idle import COPIES, restriction_of, why_idle
from nucleate.moves.table import AUTO, chosen, move_weights
from nucleate.search.settings import uses_vacancies

if TYPE_CHECKING:
    from nucleate.run.settings import RunSettings

RESTRICTIONS = {
    "problem.motif": ("a motif", "keeps_motif"),
    "problem.space_groups": ("space groups", "keeps_space_groups"),
}
"""In words, and what of the settings of a search says that it can keep to it."""


def refuse_unfit_keys(settings: RunSettings) -> None:
    """Check that the keys of an input fit each other.

    Raises
    ------
    InputError
        For the first ones that do not: the keys, why, and the remedy.
    """
    _check_restrictions(settings)
    for key in ("moves", "melted_moves"):
        _check_moves(settings, key)
    _check_vacancies(settings)
    _check_melting(settings)
    _check_guards(settings)


def _check_restrictions(settings: RunSettings) -> None:
    """Refuse a search whose candidates would all be outside the space groups or the motif."""
    search, key = settings.search, restriction_of(settings.problem.space())
    if not key:
        return
    what, able = RESTRICTIONS[key]
    if not getattr(search, able, True):
        raise InputError(
            f"search.kind = {search.kind!r} cannot keep to {what} ({key}), as it places or "
            "moves every atom by itself. Use search.kind = 'lowest-minima', 'basin-hopping' or "
            f"'evolution', or leave {key} out."
        )


def _check_moves(settings: RunSettings, key: str) -> None:
    """Refuse weights of moves none of which can act in the search space."""
    choice = getattr(settings.search, key, None)
    if not isinstance(choice, dict) or getattr(settings.search, "new_fraction", None) == 1.0:
        return
    space = settings.problem.space()
    composition = space.composition
    on = [name for name, weight in move_weights(choice).items() if weight > 0.0]
    reasons = why_idle(on, space)
    if len(reasons) < len(on):
        return
    units = f"{', '.join(map(str, space.formula_units))} of {composition.formula}"
    small = [COPIES[name] for name in reasons if name in COPIES]
    remedy = ""
    if small:
        copies = small[0]
        remedy = (
            f", or allow {copies} formula units (problem.max_atoms = "
            f"{copies * composition.n_atoms} or more, and problem.formula_units if it is given)"
        )
    raise InputError(
        f"search.{key}: no move that is on can act, as {' and '.join(reasons.values())}, and the "
        f"allowed formula units are {units}. Give another move a positive weight{remedy}."
    )


def _check_vacancies(settings: RunSettings) -> None:
    """Refuse the distance of vacant sites where the moves that suit the space use none."""
    search = settings.search
    if getattr(search, "min_vacancy_ang", None) is None:
        return
    choice = chosen(getattr(search, "moves", AUTO), settings.problem.space())
    melted = chosen(getattr(search, "when_melted", choice), settings.problem.space())
    if not uses_vacancies(choice) and not uses_vacancies(melted):
        raise InputError(
            f"search.min_vacancy_ang has no effect where the moves are those of {choice!r}, as "
            "with problem.space_groups: none puts atoms on vacant sites; leave it out"
        )


def _check_melting(settings: RunSettings) -> None:
    """Refuse a ceiling of the melted walk that is not above its temperature at rest."""
    search = settings.search
    ceiling = getattr(search, "melt_ceiling", None)
    rest = getattr(search, "temperature", 0.0)
    is_idle = (
        getattr(search, "melt_step", 0.0) == 0.0 or getattr(search, "new_fraction", 0.0) == 1.0
    )
    if ceiling is not None and not is_idle and ceiling <= rest:
        raise InputError(
            f"search.melt_ceiling = {ceiling:g} is not above search.temperature = {rest:g}, so "
            "that a melted walk would be no hotter. Raise melt_ceiling, or set melt_step = 0 for "
            "walks that never get hotter."
        )


def _check_guards(settings: RunSettings) -> None:
    """Refuse a largest size of a tier that the smallest cell of the problem exceeds."""
    space = settings.problem.space()
    least = space.formula_units[0] * space.composition.n_atoms
    for tier in settings.tier:
        most = tier.guards.max_atoms
        if most is not None and most < least:
            raise InputError(
                f"tier {tier.name!r}: guards.max_atoms = {most} refuses every crystal of "
                f"{space.composition.formula}, whose cells have {least} atoms or more. Raise it, "
                "or leave it out."
            )
