"""Keys of an input that each are right and do not fit each other: refused with the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from nucleate.run.settings import RunSettings

TRIVIAL = 1
"""The space group of crystals without symmetry."""


def refuse_unfit_keys(settings: RunSettings) -> None:
    """Check that the keys of an input fit each other.

    Raises
    ------
    InputError
        For the first ones that do not: the keys, why, and the remedy.
    """
    _check_restrictions(settings)


def _check_restrictions(settings: RunSettings) -> None:
    """Refuse a search whose candidates would all be outside the space groups or the motif."""
    search, problem = settings.search, settings.problem
    groups = problem.space().space_groups
    asked = {
        "a motif": ("problem.motif", "keeps_motif", problem.motif is not None),
        "space groups": (
            "problem.space_groups",
            "keeps_space_groups",
            groups is not None and TRIVIAL not in groups,
        ),
    }
    for what, (key, able, is_asked) in asked.items():
        if is_asked and not getattr(search, able, True):
            raise InputError(
                f"search.kind = {search.kind!r} cannot keep to {what} ({key}), as it moves "
                "every atom by itself. Use search.kind = 'lowest-minima', 'basin-hopping' or "
                f"'evolution', or leave {key} out."
            )
