"""What generators get from the run that they serve, and the base of their settings."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from nucleate.errors import InputError
from nucleate.plugins import Component

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.pool import RankedPool, Score

MAKES_A_POOL = "makes-a-pool"
"""In ``supports`` of a generator that evaluates ``number`` crystals and ranks the best: what it
builds has ``members`` and ``account``."""


def _is_not_empty(files: str | tuple[str, ...]) -> str | tuple[str, ...]:
    if not files:
        raise ValueError("files names no file. Give one, or leave the generator out")
    return files


Files = Annotated[str | tuple[str, ...], AfterValidator(_is_not_empty)]
"""Of a generator that reads structures: a file, a folder or a pattern, or several of them."""

OTHERS_SERVE = "The other generators serve alone."


def _warn(text: str) -> None:
    """Warn with the message alone: the line of code that warns means nothing to a user."""
    plain = warnings.formatwarning
    warnings.formatwarning = lambda message, *_args, **_options: f"Warning: {message}\n"
    try:
        warnings.warn(text, stacklevel=3)
    finally:
        warnings.formatwarning = plain


@dataclass(frozen=True, slots=True)
class GeneratorContext:
    """What generators get from the run that they serve.

    Attributes
    ----------
    space : SearchSpace
        What is searched, at 0 GPa: what generators give is compressed afterwards.
    seed : int
        Of the run.
    population : int
        Structures before the first move, which begin with the best of a pool.
    processes : int
        How many may make a pool.
    folder : Path or None
        Where a pool is kept.
    score : callable or None
        Single-point energies in eV/atom by the energy model of the run.
    report : callable
        Called with what is being done, how much of it is done, and how much there is.
    warn : callable
        Called with a warning.
    known : str
        Which known structures the run may use; see :class:`nucleate.library.hold_out.HoldOut`.
    library : tuple of str
        Libraries of known structures: ``shipped``, or files.
    target : Crystal or None
        The structure that is looked for, whose type ``no-prototype`` holds out.
    start_ratio : float
        Volume of a start under the pressure of the run, relative to that at 0 GPa, for structures
        that may have been computed under it.
    pools : dict or None
        Pools by the place of their generator in the input; what is made is put there, and what is
        there is not made again. For runs that are opened many times with the same settings.
    """

    space: SearchSpace
    seed: int = 0
    population: int = 0
    processes: int = 1
    folder: Path | None = None
    score: Score | None = None
    report: Callable[[str, int, int], None] = lambda *_: None
    warn: Callable[[str], None] = _warn
    known: str = "all"
    library: tuple[str, ...] = ("shipped",)
    target: Crystal | None = None
    start_ratio: float = 1.0
    pools: dict[int, RankedPool] | None = None

    def at_rest(self) -> GeneratorContext:
        """Return the context of generators, which know no pressure, where ``space`` does."""
        space, score = self.space, self.score
        if space.compression == 1.0:
            return self

        def pressed_score(crystals: Sequence[Crystal]) -> NDArray[np.float64]:
            assert score is not None
            return score([space.pressed(crystal) for crystal in crystals])

        return replace(
            self,
            space=space.at_rest(),
            score=None if score is None else pressed_score,
            start_ratio=space.start_ratio,
        )


class GeneratorSettings(Component):
    """Settings of a generator.

    ``build`` takes a :class:`GeneratorContext` and returns an object with ``generate``, best a
    :class:`~nucleate.generate.generator.Generator`, or None with a warning if it cannot serve.

    Attributes
    ----------
    completed_by : {"", "random", "blocks"}
        Generators that a run adds where this one stands alone, because it comes to an end.
    keeps_space_groups, keeps_motif : bool
        It can serve where the space names space groups, or a motif; the others are refused then.
    """

    serves: ClassVar[frozenset[str]] = frozenset({"generators"})
    completed_by: ClassVar[Literal["", "random", "blocks"]] = ""
    keeps_space_groups: ClassVar[bool] = False
    keeps_motif: ClassVar[bool] = False

    weight: float = Field(
        default=1.0, ge=0.0, allow_inf_nan=False, description="Relative frequency of draws."
    )


def check_score(ranking: str, context: GeneratorContext) -> None:
    """Check that there is an energy model where a pool is ranked by one; raises InputError."""
    if ranking == "single-point" and context.score is None:
        raise InputError(
            "ranking = 'single-point' needs an energy model. Rank by network or spp, or give the "
            "run a tier that is an MLIP."
        )
