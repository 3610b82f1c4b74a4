"""Ranked pools in extxyz files, and pools of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.files import Unreadable, read_structures, write_extxyz
from nucleate.errors import InputError
from nucleate.generate.given import GivenStructures, given_structures
from nucleate.generate.pool import Member

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.pool import Detail


def write_pool(path: Path, members: Sequence[Member], *, name: str) -> None:
    """Write the members in their order; an existing file is replaced in one step."""
    part = path.with_name(path.name + ".part")
    write_extxyz(
        part,
        (
            (f"{name}-{place}", member.crystal, {"source": name, **member.detail})
            for place, member in enumerate(members)
        ),
    )
    part.replace(path)


def read_pool(path: Path) -> list[Member]:
    """Return what :func:`write_pool` wrote.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        items = read_structures(path)
    except InputError as error:
        raise InputError(f"{error} Remove the pool to make it again.") from error
    members = []
    for item in items:
        if isinstance(item, Unreadable):
            raise InputError(
                f"{path}: the pool cannot be read ({item.error}) Remove the file to make it again."
            ) from item.error
        detail = {key: _plain(value) for key, value in item.info.items()}
        members.append(Member(item.crystal, {k: v for k, v in detail.items() if k != "source"}))
    return members


def given_pool(
    space: SearchSpace, files: str | Sequence[str], start_ratio: float = 1.0
) -> tuple[list[Member], GivenStructures]:
    """Return the members that files give in their order, and what has to be reported.

    Other programs give broken files, other compositions and overlapping atoms; those are counted
    by reason, not refused as a whole, and no file is touched. The volume window does not apply.

    Parameters
    ----------
    space
        What is searched.
    files
        Files, folders or patterns, as for seeds.
    start_ratio
        See :func:`~nucleate.generate.given.given_structures`.

    Raises
    ------
    InputError
        If a pattern matches nothing.
    """
    given = given_structures(space, files, kind="pool", start_ratio=start_ratio)
    members = []
    for item in given.usable:
        units = space.composition.formula_units_of(item.crystal.numbers)
        detail: Detail = {"file": item.file, "name": item.name, "formula_units": units or 0}
        members.append(Member(item.crystal, detail))
    return members, given


def unusable(given: GivenStructures, kind: str, files: str | Sequence[str]) -> str:
    """Return a sentence for the case that none of the given structures can be used."""
    reasons = ", ".join(f"{reason} {count}" for reason, count in given.left_out.most_common())
    example = next(iter(given.examples.values()), "")
    return (
        f"{kind}: none of the structures in {files!r} can be used ({reasons}"
        + (f"; {example}" if example else "")
        + ")."
    )


def _plain(value: object) -> str | int | float:
    if isinstance(value, str | int | float):
        return value
    return value.item() if isinstance(value, np.generic) else str(value)
