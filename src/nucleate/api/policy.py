"""What worked in a run, and what its policy has learned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.report.content import check_is_search
from nucleate.report.worked import HEADS, what_worked
from nucleate.run.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def worked(
    folder: str | Path,
) -> tuple[str, tuple[str, ...], list[tuple[str, ...]], list[dict[str, Any]]]:
    """Return the policy of a run, heads and cells of the table of what worked, and it as data.

    Raises
    ------
    InputError
        If the folder holds no search.
    """
    with Store.read(folder) as store:
        check_is_search(store, folder)
        kind, rows = what_worked(store)
    return kind, HEADS, [row.cells() for row in rows], [row.to_data() for row in rows]


def save_policy(folder: str | Path, file: str | Path) -> None:
    """Write what the policy of a run has learned; ``[search] policy_from`` takes the file.

    Parameters
    ----------
    folder
        The run folder.
    file
        JSON; replaced if it exists.

    Raises
    ------
    InputError
        If the run has learned nothing, or the file cannot be written.
    """
    from nucleate.errors import InputError
    from nucleate.run.policy import saved_policy

    with Store.read(folder) as store:
        check_is_search(store, folder)
        try:
            saved = saved_policy(store)
        except InputError as error:
            raise InputError(f"{folder}: {error}") from error
    saved.write(file)
