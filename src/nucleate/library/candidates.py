"""All candidates of a composition: substituted and derived prototypes in one order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.library.substitution import substituted

if TYPE_CHECKING:
    from nucleate.crystal.composition import Composition
    from nucleate.crystal.space import SearchSpace
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.library import Library
    from nucleate.library.substitution import Proposal


def candidates(
    library: Library,
    composition: Composition,
    hold_out: HoldOut,
    *,
    space: SearchSpace | None = None,
    most: int = 100,
    derived: bool = True,
) -> list[Proposal]:
    """Return the candidates, the most likely first; see :meth:`Library.candidates`."""
    return substituted(library, composition, hold_out, space=space, most=most)
