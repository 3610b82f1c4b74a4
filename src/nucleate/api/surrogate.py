"""The surrogate that a run has learned: its fits, their errors, and the weights as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.report.content import check_is_search
from nucleate.report.learned import HEADS, Learned, learned_of
from nucleate.report.status import times_of
from nucleate.run.learning.tables import tables_of
from nucleate.run.store import Store
from nucleate.surrogate.surrogate import Surrogate

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["HEADS", "Learned", "Surrogate", "fitted_in", "learned_in"]


def learned_in(folder: str | Path) -> Learned:
    """Return what a surrogate did in a run: every fit with its errors, and what was decided.

    The errors of a fit are those on the evaluations that came next, predicted before they were
    learned, so that those of all fits are the learning curve.

    Parameters
    ----------
    folder
        The run folder.

    Raises
    ------
    InputError
        If the folder holds no search, or the run has learned no surrogate.
    """
    with Store.read(folder) as store:
        check_is_search(store, folder)
        tables_of(store, str(folder))
        learned = learned_of(store, times_of(store)[1])
    assert learned is not None
    return learned


def fitted_in(folder: str | Path, number: int | None = None) -> Surrogate:
    """Return a surrogate that a run has fitted, to evaluate crystals or to save it.

    Parameters
    ----------
    folder
        The run folder.
    number
        Of the fit, as :func:`learned_in` counts them; default: the last one.

    Raises
    ------
    InputError
        If the folder holds no search, the run has no such fit, or it is of another version.
    """
    with Store.read(folder) as store:
        check_is_search(store, folder)
        rows = {row.number: row for row in tables_of(store, str(folder)).fits()}
    made = [key for key, row in rows.items() if row.data is not None]
    chosen = number if number is not None else max(made, default=None)
    if chosen is None:
        raise InputError(f"{folder}: this run has no fit yet. Continue it until it has one.")
    data = rows[chosen].data if chosen in rows else None
    if data is None:
        reason = rows[chosen].reason if chosen in rows else "there is none"
        known = ", ".join(map(str, made)) or "none"
        raise InputError(f"fit = {chosen}: {reason}. The fits of {folder} are: {known}.")
    return Surrogate.from_bytes(data)
