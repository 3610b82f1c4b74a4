"""Recorded CHGNet relaxations of random crystals: every evaluation is kept."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from relaxation_starts import starts

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.energy.engine import EngineContext
from nucleate.energy.model import Batch, BatchedModel, Evaluation
from nucleate.networks.kinds.chgnet import ChgnetSettings
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.outcome import Outcome, Relaxed
from nucleate.relax.preparation import pre_relax
from nucleate.relax.settings import TierSettings
from nucleate.surrogate.frames import Frame, compressed, thin
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = {
    "CoAs2": (4, 240, 40),
    "Ca3Ti2O7": (2, 120, 30),
    "MoS2": (4, 90, 30),
    "Fe3O4": (2, 90, 30),
    "BaLaMgNbO6": (2, 90, 30),
    "Si6Al6B3Fe3NaO30F": (1, 19, 6),
}
"""Formula units in a cell, relaxations recorded, and how many of them, the last, are held out."""


class Recorder:
    """A batched model that keeps every evaluation of one crystal, and the core seconds."""

    def __init__(self, model: BatchedModel) -> None:
        self._model = model
        self.level, self.elements, self.cutoff = model.level, model.elements, model.cutoff
        self.composition_energies, self.batch_atoms = model.composition_energies, 1
        self.frames: list[Frame] = []
        self.core_s = 0.0

    def evaluate(self, batch: Batch) -> Evaluation:
        """Return what the model says of a batch of one."""
        started = time.process_time()
        result = self._model.evaluate(batch)
        self.core_s += time.process_time() - started
        crystal = Crystal.from_positions(batch.numbers, batch.cells[0], batch.positions)
        self.frames.append(frame_of(crystal, result))
        return result


def frame_of(crystal: Crystal, result: Evaluation) -> Frame:
    """Return the evaluation of one crystal as a frame."""
    stress = result.stresses[0] * GPA_PER_EV_A3
    return Frame(crystal, float(result.energies[0]), result.forces, stress)


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One relaxation."""

    frames: list[Frame]
    pressed: Frame | None
    good: bool
    core_s: float

    def training(self, number: int) -> list[Frame]:
        """Return what a fit learns of it."""
        chosen = thin(self.frames, number)
        return chosen if self.pressed is None else [*chosen, self.pressed]


def chgnet() -> BatchedModel:
    """Return CHGNet as a run has it."""
    return ChgnetSettings().build(EngineContext())


def draw(formula: str, seed: int = 2026) -> list[Crystal]:
    """Return random crystals as a search draws them, atoms pushed apart."""
    units, count, _ = ENTRIES[formula]
    atoms = units * Composition.from_formula(formula).n_atoms
    return [pre_relax(item) for item in starts(formula, count, seed=seed, n_atoms=atoms)]


def record(formula: str, out: Path) -> None:
    """Relax what is not recorded yet."""
    folder = out / formula
    folder.mkdir(parents=True, exist_ok=True)
    model = chgnet()
    for number, crystal in enumerate(draw(formula)):
        path = folder / f"{number:04d}.npz"
        if path.exists():
            continue
        save(path, relaxed(crystal, model, np.random.default_rng([2026, number]))[0])
        if number % 20 == 0:
            print(formula, number, flush=True)


def relaxed(
    crystal: Crystal, model: BatchedModel, rng: np.random.Generator | None = None
) -> tuple[Recorded, Outcome]:
    """Relax one crystal, and evaluate it compressed at a random frame."""
    recorder, started = Recorder(model), time.process_time()
    tier = TierSettings().model_copy(update={"slots": 1, "pre_relax": False})
    relaxer = BatchedRelaxer(recorder, tier)
    relaxer.add(0, crystal)
    ended: list[tuple[int, Outcome]] = []
    while not ended:
        ended = relaxer.step()
    core_s, outcome, pressed = time.process_time() - started, ended[0][1], None
    if rng is not None and recorder.frames:
        other = compressed(recorder.frames[rng.integers(len(recorder.frames))].crystal, rng=rng)
        pressed = frame_of(other, model.evaluate(Batch.of([other])))
    good = isinstance(outcome, Relaxed)
    return Recorded(recorder.frames, pressed, good, core_s), outcome


def save(path: Path, item: Recorded) -> None:
    """Write one relaxation."""
    frames = item.frames + ([] if item.pressed is None else [item.pressed])
    part = path.with_suffix(".part.npz")
    np.savez_compressed(
        part,
        numbers=frames[0].crystal.numbers if frames else np.zeros(0, int),
        cells=np.array([frame.crystal.cell for frame in frames]),
        scaled=np.array([frame.crystal.scaled for frame in frames]),
        energies=np.array([frame.energy_ev for frame in frames]),
        forces=np.array([frame.forces_ev_per_ang for frame in frames]),
        stresses=np.array([frame.stress_gpa for frame in frames]),
        flags=np.array([item.good, item.pressed is not None]),
        core_s=item.core_s,
    )
    part.replace(path)


def load(formula: str, out: Path) -> list[Recorded]:
    """Return the relaxations recorded, in order."""
    items = []
    for path in [out / formula / f"{k:04d}.npz" for k in range(ENTRIES[formula][1])]:
        with np.load(path) as data:
            frames = [
                Frame(Crystal(data["numbers"], cell, scaled), energy, forces, stress)
                for cell, scaled, energy, forces, stress in zip(
                    data["cells"], data["scaled"], data["energies"], data["forces"],
                    data["stresses"], strict=True,
                )
            ]  # fmt: skip
            good, has_pressed = data["flags"]
            pressed = frames.pop() if has_pressed else None
            items.append(Recorded(frames, pressed, bool(good), float(data["core_s"])))
    return items
