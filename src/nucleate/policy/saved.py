"""What a policy has learned, as a file that another run can begin with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from nucleate.crystal.candidate import MOVE
from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LARGEST = 4_000_000
"""Bytes of a policy file."""

Learned = dict[str, dict[str, FiniteFloat | tuple[FiniteFloat, ...]]]


class SavedPolicy(BaseModel):
    """What a policy has learned, and of which arms.

    Attributes
    ----------
    policy : str
        Kind of the policy.
    formula : str
        Where it was learned.
    moves : tuple of str
        Moves that were on.
    learned : dict
        What its :meth:`~nucleate.policy.policy.Policy.learned` returned.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = Field("nucleate-policy-1", pattern="^nucleate-policy-1$")
    policy: str
    formula: str = ""
    moves: tuple[str, ...]
    learned: Learned

    @classmethod
    def of(
        cls,
        kind: str,
        formula: str,
        arms: Sequence[str],
        weights: Sequence[float],
        learned: Mapping[str, Any],
    ) -> SavedPolicy:
        """Return what a policy of these arms and weights has learned."""
        return cls(
            format="nucleate-policy-1",
            policy=kind,
            formula=formula,
            moves=moves_of(arms, weights),
            learned=dict(learned),
        )

    @classmethod
    def read(cls, path: str | Path) -> SavedPolicy:
        """Read a file; raises InputError if it holds no policy."""
        file = Path(path)
        try:
            if file.stat().st_size > LARGEST:
                raise InputError(
                    f"{path} has {file.stat().st_size / 1e6:.0f} MB and is no policy. Give a run "
                    "folder, or a file of `nucleate policy RUN --save FILE`."
                )
            return cls.model_validate(json.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(
                f"{path}: cannot be read ({error.strerror}). Give a run folder, or a file of "
                "`nucleate policy RUN --save FILE`."
            ) from error
        except (ValueError, RecursionError, ValidationError) as error:
            if isinstance(error, ValidationError):
                fault = error.errors()[0]
                place = ".".join(map(str, fault["loc"]))[:60]
                first = f"{place}: {fault['msg']}" if place else "it is no table"
            else:
                first = str(error).splitlines()[0][:200]
            raise InputError(
                f"{path}: holds no policy ({first}). Give a run folder, or a file of `nucleate "
                "policy RUN --save FILE`."
            ) from error

    def write(self, path: str | Path) -> None:
        """Write the file, which is replaced if it exists; raises InputError if it cannot be."""
        try:
            Path(path).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}). Choose another file."
            ) from error

    def check(self, kind: str, arms: Sequence[str], weights: Sequence[float]) -> None:
        """Check that a policy of a kind and of these arms can begin with it; raises InputError."""
        if self.policy != kind:
            raise InputError(
                f"search.policy_from: what it names was learned by policy = {self.policy!r}, and "
                f"policy = {kind!r} cannot begin with it. Give policy = {self.policy!r}, or leave "
                "policy_from out."
            )
        ours = set(moves_of(arms, weights))
        other = sorted(ours.symmetric_difference(self.moves))
        if other:
            raise InputError(
                f"search.policy_from: what it names was learned with other moves: {other[0]!r} is "
                f"{'on here' if other[0] in ours else 'off here'} and was "
                f"{'off' if other[0] in ours else 'on'} there. Give search.moves the same moves, "
                "or leave policy_from out."
            )


def moves_of(arms: Sequence[str], weights: Sequence[float]) -> tuple[str, ...]:
    """Return the names of the moves of positive weight among arms."""
    pairs = zip(arms, weights, strict=True)
    return tuple(arm.removeprefix(MOVE) for arm, w in pairs if arm.startswith(MOVE) and w > 0.0)
