"""The base of the settings of every move, and what else may serve as a move."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from nucleate.errors import InputError
from nucleate.moves.move import Child, Move
from nucleate.plugins import Component, find

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

    from nucleate.crystal.crystal import Crystal
    from nucleate.moves.move import ApplyMove, MoveContext, Precondition


class MoveSettings(Component):
    """Settings of a move, which is written as the method :meth:`apply`.

    Any other component serves as well whose ``build(None)`` returns a
    :class:`~nucleate.moves.move.Move` or a callable ``(parent, context, *, rng)``.

    Attributes
    ----------
    number : int
        Number in the paper, 1 to 14; 0 for a move that is not from there.
    renews : bool
        The child has nothing to do with the parent.
    multiplies : bool
        The child has a larger cell, in which it may be its parent still.
    keeps_symmetry : bool
        The child is symmetric on purpose, so that it is not rattled.
    """

    serves: ClassVar[frozenset[str]] = frozenset({"moves"})
    number: ClassVar[int] = 0
    renews: ClassVar[bool] = False
    multiplies: ClassVar[bool] = False
    keeps_symmetry: ClassVar[bool] = False

    def apply(
        self, parent: Crystal, context: MoveContext, *, rng: np.random.Generator
    ) -> Child | Crystal | None:
        """Return a changed copy of the parent, or None.

        Parameters
        ----------
        parent
            Relaxed crystal, which must not be changed.
        context
            The search space, and what else a move may use.
        rng
            The only source of randomness.
        """
        raise NotImplementedError

    def applies(self, parent: Crystal, context: MoveContext) -> bool:
        """Return False if the move cannot change this parent."""
        del parent, context
        return True

    def build(self, context: Any) -> Move:
        """Return the move."""
        del context
        return Move(
            self.number,
            self.kind,
            self.apply,
            self.applies,
            renews=self.renews,
            multiplies=self.multiplies,
            keeps_symmetry=self.keeps_symmetry,
        )


class PaperMove(MoveSettings):
    """One of the fourteen moves: a function of :mod:`nucleate.moves`, and when it applies."""

    move: ClassVar[Any]
    when: ClassVar[Any] = None

    def build(self, context: Any) -> Move:
        """Return the move."""
        return replace(super().build(context), apply=self.move, applies=self.when or _always)


class GivenMoves(BaseModel):
    """Moves that were given as Python objects, which live in the process that was given them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[str, ...]

    _moves: tuple[Move, ...] = PrivateAttr(())

    @classmethod
    def of(cls, moves: Iterable[Move]) -> Self:
        """Return the settings that hold some moves."""
        kept = tuple(moves)
        made = cls(names=tuple(move.name for move in kept))
        made._moves = kept
        return made

    @property
    def moves(self) -> tuple[Move, ...]:
        """The moves; raises InputError where they are gone."""
        if len(self._moves) != len(self.names):
            raise InputError(
                f"search.moves: the Python objects {', '.join(self.names)} live in the process "
                "that was given them. Give them again with moves=..."
            )
        return self._moves


def as_move(source: object) -> Move:
    """Return anything that can serve as a move as one.

    Parameters
    ----------
    source
        A move, a component of the group ``moves`` or its class, or a callable
        ``(parent, context, *, rng) -> Child | Crystal | None``, which may have a method
        ``applies(parent, context)``.

    Raises
    ------
    InputError
        If it is none of these, or needs settings that it was not given.
    """
    if isinstance(source, Move):
        return source
    if isinstance(source, type) and issubclass(source, Component):
        return as_move(_with_defaults(source))
    if isinstance(source, Component):
        built = source.build(None)
        return _from_callable(built, source.kind) if not isinstance(built, Move) else built
    return _from_callable(source, getattr(source, "name", None) or _name_of(source))


def move_of_kind(kind: str) -> Move:
    """Return the move of a kind with the defaults of its settings; raises InputError."""
    return as_move(_with_defaults(find(kind, "moves")))


def _with_defaults(component: type[Component]) -> Component:
    try:
        return component()
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise InputError(
            f"moves: {component.__module__}:{component.__qualname__} has no default for {keys}. "
            "Give every setting of a move a default."
        ) from error


def _from_callable(source: Any, name: str) -> Move:
    if not callable(source):
        raise InputError(
            f"moves: {source!r:.200} is not a move. Give the name of a move, a function "
            "move(parent, context, *, rng), or a component whose build returns one."
        )
    applies: Precondition = getattr(source, "applies", _always)
    renews = bool(getattr(source, "renews", False))
    return Move(0, name, cast("ApplyMove", source), applies, renews)


def _always(parent: Crystal, context: MoveContext) -> bool:
    del parent, context
    return True


def _name_of(source: object) -> str:
    return str(getattr(source, "__name__", type(source).__name__))
