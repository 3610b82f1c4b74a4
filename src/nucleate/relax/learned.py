"""The relaxer of a surrogate that learns in the run: it relaxes with the fit of a job, and fits."""

from __future__ import annotations

import base64
import time
from collections import deque
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nucleate.energy.engine import Engine, EngineContext
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError
from nucleate.relax.classical import ClassicalRelaxer
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.relax.warm_up import loose_crystal
from nucleate.surrogate.descriptors import Layout
from nucleate.surrogate.fit import Fit, NotFitted
from nucleate.surrogate.packing import unpack
from nucleate.surrogate.surrogate import Surrogate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome
    from nucleate.relax.settings import TierSettings

SLOTS = 4
"""Crystals that a worker takes at a time."""

MODELS = 4
"""Fits that a relaxer keeps; candidates in flight need two of them."""


class LearnedEngine(Engine):
    """A surrogate whose fits come with the jobs; a run that learns makes a tier of it."""

    relaxer: ClassVar[str] = "nucleate.relax.learned:LearnedRelaxer"
    ranks_single_points: ClassVar[bool] = False
    supports: ClassVar[frozenset[str]] = frozenset({"guards.energy_window_ev_per_atom"})
    tier_defaults: ClassVar[dict[str, Any]] = {
        "max_steps": 150,
        "fmax_ev_per_ang": 0.1,
        "max_stress_gpa": 1.0,
        "slots": SLOTS,
    }

    def build(self, context: EngineContext) -> None:
        """Return nothing: there is no fit before the first one."""
        del context


class LearnedRelaxer:
    """Relaxes crystals with surrogates, and fits surrogates; a relaxer of a run that learns.

    What a job is comes by :meth:`expect`: either the fit to relax with, or what is to be learned.
    What it gives besides its outcome is in ``extras``.

    Parameters
    ----------
    built
        Nothing; see :class:`LearnedEngine`.
    tier
        Criteria, limits and guards of relaxations.
    pressure_gpa
        External pressure.
    """

    def __init__(self, built: None, tier: TierSettings, pressure_gpa: float = 0.0) -> None:
        from nucleate import __version__

        del built
        self._tier, self._pressure_gpa = tier, pressure_gpa
        self.level = LevelOfTheory("nucleate", __version__, "surrogate")
        self.extras: dict[int, dict[str, Any]] = {}
        self._waiting: deque[tuple[int, Crystal]] = deque()
        self._options: dict[int, dict[str, Any]] = {}
        self._models: dict[str, tuple[Surrogate, ClassicalRelaxer]] = {}
        self._pupil: Pupil | None = None

    def warm_up(self, numbers: Sequence[int]) -> None:
        """Let everything be compiled and loaded that fits and relaxations of these atoms need."""
        import_module("scipy.linalg")
        layout = Layout.of(numbers)
        nothing = Surrogate(
            elements=layout.elements,
            weights=np.zeros(layout.n_columns),
            walls=np.ones((layout.n_elements,) * 2),
            lowest=0.0,
            spread=np.zeros((1, layout.n_columns), dtype=np.float16),
            number=0,
            tier="",
            n_frames=0,
            n_groups=0,
        )
        crystal = loose_crystal(numbers)
        nothing.leverage(crystal)
        layout.rows(crystal)
        ClassicalRelaxer(nothing.classical(), self._tier, self._pressure_gpa).warm_up(numbers)

    def free_slots(self) -> int:
        """Return how many more crystals can be added now."""
        return max(0, (self._tier.slots or SLOTS) - len(self._waiting))

    def expect(self, key: int, options: dict[str, Any]) -> None:
        """Take down what the job is that comes next with this key."""
        self._options[key] = options

    def add(self, key: int, crystal: Crystal, fixed: ArrayLike | None = None) -> None:
        """Take a crystal to relax, or anything where there is something to be learned."""
        del fixed  # no search has fixed atoms
        self._waiting.append((key, crystal))

    def step(self) -> list[tuple[int, Outcome]]:
        """Do the first job that waits."""
        if not self._waiting:
            return []
        key, crystal = self._waiting.popleft()
        options = self._options.pop(key)
        if "learn" in options:
            self.extras[key] = self._learn(options["learn"])
            return [(key, Failed(FailReason.INVALID, "a fit is no relaxation"))]
        return [(key, self._relaxed(key, crystal, options["model"]))]

    def _relaxed(self, key: int, crystal: Crystal, model: str) -> Outcome:
        surrogate, relaxer = self._model(model)
        relaxer.add(key, crystal)
        [(_, outcome)] = relaxer.step()
        end = outcome.crystal if isinstance(outcome, Relaxed) else None
        if end is not None:
            self.extras[key] = {"leverage": surrogate.leverage(end)}
        return outcome

    def _model(self, model: str) -> tuple[Surrogate, ClassicalRelaxer]:
        if model not in self._models:
            surrogate = Surrogate.from_bytes(base64.b64decode(model))
            relaxer = ClassicalRelaxer(surrogate.classical(), self._tier, self._pressure_gpa)
            self._models[model] = surrogate, relaxer
            if len(self._models) > MODELS:
                del self._models[next(iter(self._models))]
        return self._models[model]

    def _learn(self, task: dict[str, Any]) -> dict[str, Any]:
        if self._pupil is None or not task["batches"][0]["number"] <= self._pupil.reached + 1:
            self._pupil = Pupil(task["elements"], task["tier"])
        started = time.process_time()
        found = self._pupil.learn(task["batches"])
        return {**found, "core_s": round(time.process_time() - started, 3)}


class Pupil:
    """A fit that learns batch after batch, each once and in order.

    Parameters
    ----------
    elements
        Atomic numbers.
    tier
        Name of the tier above.
    """

    def __init__(self, elements: Sequence[int], tier: str) -> None:
        self._fit = Fit(elements, tier=tier)
        self._damaged = 0
        self.reached = 0
        """Number of the last batch."""

    def learn(self, batches: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the fit after the last of some batches.

        Parameters
        ----------
        batches
            With ``number``, from 1 on, and ``groups``, packed frames as base64. Those that are
            known already are passed over.

        Returns
        -------
        dict
            ``lacks``: number of the first batch that must come before; or ``model``, empty where
            there is no fit, then with the ``reason``.
        """
        solved: Surrogate | NotFitted = NotFitted("nothing was to be learned")
        for batch in batches:
            if batch["number"] <= self.reached:
                continue
            if batch["number"] > self.reached + 1:
                return {"lacks": self.reached + 1}
            solved = self._taught(batch["groups"])
            self.reached = batch["number"]
        refused = self._fit.n_refused + self._damaged
        if isinstance(solved, NotFitted):
            return {"model": "", "reason": solved.reason, "refused": refused}
        model = base64.b64encode(solved.to_bytes()).decode("ascii")
        return {"model": model, "reason": "", "refused": refused}

    def _taught(self, groups: Sequence[str]) -> Surrogate | NotFitted:
        try:
            for group in groups:
                try:
                    frames = unpack(base64.b64decode(group))
                except InputError:
                    self._damaged += 1
                else:
                    self._fit.add(frames)
            return self._fit.solve()
        except (InputError, ValueError, ArithmeticError, MemoryError) as error:
            return NotFitted(f"the fit failed ({type(error).__name__}: {error})")
