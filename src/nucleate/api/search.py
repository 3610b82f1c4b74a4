"""Searches that the caller drives: ask what to try, tell what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from nucleate.api.generators import as_generators
from nucleate.api.inputs import absolute, settings_of
from nucleate.api.moves import as_moves
from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, Relaxed
from nucleate.run.predict import build_source, build_target
from nucleate.search.checked import CheckedSearch
from nucleate.search.context import SearchContext
from nucleate.search.record import Record, TierOutcome
from nucleate.search.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from nucleate.relax.outcome import Outcome
    from nucleate.search.record import SearchUpdate
    from nucleate.search.search import SearchProgress, Trial

TIER = "model"
"""Name of the tier in the records of a search that the caller drives."""


class AskTell:
    """A search that the caller drives; base of :class:`LowestMinima` and the others.

    Candidates are a function of the seed, their number and the outcomes that the search knows.
    Several trials may be in flight: :meth:`ask` does not wait for the outcomes of earlier ones,
    except that every walk of :class:`BasinHopping` has one trial at a time.

    Parameters
    ----------
    problem
        A formula, the path of an input file, or settings.
    generators
        As in :func:`nucleate.generate`.
    moves
        A list of moves (:data:`nucleate.FUSE_MOVES`), names of moves and functions
        ``move(parent, context, *, rng)``. Default: the fourteen moves of FUSE.
    seed
        Seed of all random numbers.
    max_atoms, formula_units
        Maximum number of atoms in a cell, and allowed numbers of formula units.
    structures, target
        As in :func:`nucleate.predict`; for :meth:`stop_reason`.
    options
        Further settings of the search, such as ``population`` and ``new_fraction``.

    Raises
    ------
    InputError
        If something cannot be used.

    Examples
    --------
    >>> from ase.calculators.emt import EMT
    >>> import nucleate as nc
    >>> search = nc.BasinHopping("Cu3Au", generators=[nc.Symmetric()], max_atoms=4, seed=1)
    >>> for _ in range(5):
    ...     trial = search.ask()
    ...     update = search.tell(trial, nc.relax(trial, model=EMT()))
    >>> search.progress.n_structures
    5
    >>> search.best.crystal.reduced_formula
    'AuCu3'
    """

    kind: ClassVar[str] = ""

    def __init__(
        self,
        problem: Any,
        *,
        generators: Any = None,
        moves: Any = None,
        seed: int = 0,
        max_atoms: int | None = None,
        formula_units: Sequence[int] | None = None,
        structures: int | None = None,
        target: str | Path | None = None,
        **options: Any,
    ) -> None:
        units = None if formula_units is None else list(formula_units)
        if isinstance(moves, str | dict):
            options, moves = {**options, "moves": moves}, None
        settings = settings_of(
            problem,
            {
                "problem": {"max_atoms": max_atoms, "formula_units": units},
                "stop": {"structures": structures, "target": absolute(target)},
                "search": {
                    "kind": self.kind,
                    "seed": seed,
                    "generators": as_generators(generators),
                    **options,
                },
            },
        )
        if settings.stop.proven is not False:
            raise InputError(
                "stop.proven has no effect on a search that the caller drives; leave it out."
            )
        if moves is not None and not hasattr(settings.search, "moves"):
            raise InputError(f"moves has no effect on {self.kind!r}, which has none. Leave it out.")
        context = SearchContext(
            space=settings.problem.space(),
            generator=build_source(settings),
            moves=None if moves is None else as_moves(moves),
            tiers=(TIER,),
            target=build_target(settings),
            seed=settings.seed,
            stop=settings.stop,
        )
        self.settings = settings
        self._search = CheckedSearch(settings.search.build(context), context.space)
        self._stop = Stop.of(settings.stop, context.target)

    def ask(self) -> Trial:
        """Return what to try next.

        Raises
        ------
        InputError
            If no structure could be drawn that keeps the limits of the search space, or nothing
            can be asked for before another outcome is reported.
        """
        trial = self._search.ask()
        if trial is None and self._search.waits:
            raise InputError(
                "the search waits for the outcomes of trials that are in flight. Tell one first, "
                "or give basin hopping more walkers."
            )
        if trial is None:
            raise InputError(
                "no structure could be drawn that keeps the limits of the search space. Raise "
                "max_atoms, or give another generator."
            )
        return trial

    def tell(self, trial: Trial, outcome: Outcome | None = None) -> SearchUpdate:
        """Take note of what came of a trial.

        Parameters
        ----------
        trial
            What :meth:`ask` returned.
        outcome
            What :func:`nucleate.relax` made of it. None for a trial that repeats an earlier one
            (``trial.duplicate_of``) and was not computed.

        Raises
        ------
        InputError
            If the outcome is none, or of another composition.
        """
        if outcome is None and trial.duplicate_of is None:
            raise InputError("outcome is missing. Give what nucleate.relax(trial) returns.")
        if outcome is not None:
            _check(trial, outcome)
        record = Record(
            trial.number,
            trial.candidate,
            () if outcome is None else (TierOutcome(TIER, outcome),),
            trial.duplicate_of if outcome is None else None,
            self.settings.seed,
        )
        self._stop.note(record)
        return self._search.tell(record)

    @property
    def progress(self) -> SearchProgress:
        """How far the search is."""
        return self._search.progress

    @property
    def best(self) -> Relaxed | None:
        """The best structure so far."""
        best = self.progress.best
        return None if best is None else best.relaxed

    def stop_reason(self) -> str | None:
        """Return why the search is over, or None if it is not.

        ``structures``, ``without_improvement`` and ``target`` of the input's ``[stop]`` count;
        times are the caller's business.
        """
        own = self._search.stop_reason()
        progress = self.progress
        return own or self._stop.reason(
            progress, n_finished=progress.n_structures, session_s=0.0, used_core_s=0.0
        )

    def __repr__(self) -> str:
        progress = self.progress
        formula = self.settings.problem.formula
        return (
            f"{type(self).__name__}({formula}: {progress.n_structures} structures, "
            f"best {self.best!r})"
        )


class BasinHopping(AskTell):
    """Metropolis walks from minimum to minimum; see :class:`AskTell`."""

    kind = "basin-hopping"


class Evolution(AskTell):
    """Heredity and mutations among the lowest distinct minima; see :class:`AskTell`."""

    kind = "evolution"


class RandomSearch(AskTell):
    """Random crystals with learned separations, and rattled copies; see :class:`AskTell`."""

    kind = "random"


class Swarm(AskTell):
    """A particle swarm on cells and positions; see :class:`AskTell`."""

    kind = "swarm"


class LowestMinima(AskTell):
    """Moves start from the lowest minima found so far; see :class:`AskTell`."""

    kind = "lowest-minima"


def _check(trial: Trial, outcome: Any) -> None:
    if not isinstance(outcome, Relaxed | Failed):
        raise InputError(
            f"outcome is a {type(outcome).__name__}. Give the Relaxed or Failed of this trial."
        )
    if isinstance(outcome, Relaxed):
        expected, found = trial.candidate.crystal.formula, outcome.crystal.formula
        if found != expected:
            raise InputError(
                f"outcome is of {found}, and trial {trial.number} is {expected}. Tell the outcome "
                "of this trial."
            )
