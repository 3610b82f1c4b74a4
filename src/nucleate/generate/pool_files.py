"""Ranked pools in extxyz files, and pools of other programs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.files import read_frames, write_extxyz
from nucleate.errors import InputError
from nucleate.generate.pool import Member
from nucleate.generate.seeds import structure_files

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
    from ase.io import iread

    from nucleate.crystal.crystal import Crystal

    try:
        frames = list(iread(path, index=":", format="extxyz"))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path}: the pool cannot be read ({error}). Remove the file to make it anew."
        ) from error
    return [
        Member(
            Crystal.from_ase(atoms),
            {key: _plain(value) for key, value in atoms.info.items() if key not in _NOT_DETAIL},
        )
        for atoms in frames
    ]


def collect_pool(space: SearchSpace, files: str | Sequence[str]) -> tuple[list[Member], Counter]:
    """Return the usable crystals of files in their order, and why others were left out.

    Other programs give broken files, other compositions and overlapping atoms; those are counted
    by reason, not refused as a whole, and no file is touched. The volume window does not apply.

    Parameters
    ----------
    space
        What is searched.
    files
        Files, folders or patterns, as for seeds.

    Raises
    ------
    InputError
        If nothing is left.
    """
    members: list[Member] = []
    left_out: Counter[str] = Counter()
    for path in structure_files(files):
        try:
            frames = read_frames(path)
        except InputError:
            left_out["unreadable"] += 1
            continue
        for name, crystal in frames:
            if isinstance(crystal, InputError):
                left_out["unreadable"] += 1
                continue
            reason = space.rejection(crystal, check_volume=False)
            if reason is not None:
                left_out[reason] += 1
                continue
            units = space.composition.formula_units_of(crystal.numbers)
            detail: Detail = {"file": str(path), "name": name, "formula_units": units or 0}
            members.append(Member(crystal, detail))
    if not members:
        reasons = ", ".join(f"{reason} {count}" for reason, count in left_out.most_common())
        raise InputError(
            f"pool: none of the structures in {files!r} can be used ({reasons}). Give structures "
            f"of {space.composition.formula} with at most {space.max_atoms} atoms."
        )
    return members, left_out


_NOT_DETAIL = ("name", "source")


def _plain(value: object) -> str | int | float:
    if isinstance(value, str | int | float):
        return value
    return value.item() if isinstance(value, np.generic) else str(value)
