"""Training in passes over the data that survives being killed."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import torch

from nucleate.errors import InputError
from nucleate.fitting.rate import check_rate
from nucleate.fitting.state import digest_of, read_state, restore, write_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Network = TypeVar("Network", bound=torch.nn.Module)

STATE = "state.safetensors"
TOLD_EVERY = 50
"""Steps between reports."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How a network is trained in passes.

    Attributes
    ----------
    epochs : int
        Passes over the training crystals.
    learning_rate : float
        Of AdamW, after a warm-up of `warmup_steps`.
    decay_share : float
        Share of the training at the end over which the rate falls linearly to zero.
    weight_decay : float
        Decoupled weight decay.
    clip_norm : float
        Largest norm of the gradient.
    average : float
        Decay per step of the running mean of the weights, which is what is kept.
    warmup_steps : int
        Steps over which the rate rises linearly.
    save_every : int
        Steps between states.
    seed : int
        Of all that is drawn.
    """

    epochs: int = 10
    learning_rate: float = 1e-3
    decay_share: float = 0.5
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    average: float = 0.998
    warmup_steps: int = 300
    save_every: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        check_rate(self.learning_rate)


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a training, reported every fifty steps and after every pass.

    Attributes
    ----------
    epoch : float
        Passes done.
    epochs : int
        Passes planned.
    step : int
        Steps done.
    loss : float
        Of a training crystal, mean over the last fifty steps.
    val : float or None
        Of a validation crystal, at the end of a pass.
    left_s : float
        Estimated seconds to the end.
    """

    epoch: float
    epochs: int
    step: int
    loss: float
    val: float | None
    left_s: float


class EpochTrainer(ABC, Generic[Network]):
    """Trains a network, saving all of its state so that a resumed run continues.

    Seed and data are those of the state that is resumed. The schedule may be another one; if that
    changes the batches, the pass that was interrupted begins again.

    Parameters
    ----------
    folder : Path
        Where the state is kept; a state found there is resumed.
    network : Module
        What is trained.
    settings : Schedule
        How to train.
    corpus : dataclass of arrays
        What is learned.
    identity : dict
        JSON-ready facts that a state must share with this training besides.
    device : str
        ``cpu`` or ``cuda``.
    betas : (float, float)
        Of AdamW.
    """

    def __init__(
        self,
        folder: Path,
        network: Network,
        settings: Schedule,
        corpus: Any,
        identity: dict[str, Any],
        *,
        device: str = "cpu",
        betas: tuple[float, float] = (0.9, 0.98),
    ) -> None:
        self.folder, self.schedule, self.device = folder, settings, device
        self._identity = {**identity, "data": digest_of(corpus), "seed": settings.seed}
        self.network = network.to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            betas=betas,
        )
        self.mean = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.step = self.epoch = self.place = 0
        self._total = 0.0  # of the losses of this pass
        self.history: list[dict[str, Any]] = []
        self.schedules: list[dict[str, Any]] = []
        """How it was trained, with the step from which on each schedule held."""
        if (folder / STATE).is_file():
            self._resume()
        now = asdict(settings)
        if not self.schedules or self.schedules[-1] != {"step": self.schedules[-1]["step"], **now}:
            self.schedules.append({"step": self.step, **now})

    @abstractmethod
    def plan(self) -> Sequence[NDArray[np.int64]]:
        """Return the batches of the present pass; the same whenever it is asked."""

    @abstractmethod
    def loss(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, float]:
        """Return what is minimised on a batch, and the number that is reported."""

    @abstractmethod
    def judged(self) -> dict[str, float]:
        """Return ``val`` and its parts for the network as it is."""

    def run(
        self,
        *,
        tell: Callable[[Progress], None] = lambda _: None,
        saved: Callable[[], None] = lambda: None,
    ) -> dict[str, torch.Tensor]:
        """Train to the end and return the mean weights; ``saved`` is called after every state."""
        started, first = time.monotonic(), None
        recent: list[float] = []
        while self.epoch < self.schedule.epochs:
            plan = self.plan()
            while self.place < len(plan):
                done = self.epoch + self.place / len(plan)
                first = done if first is None else first
                recent.append(self._advance(plan[self.place], done / self.schedule.epochs))
                self._total += recent[-1]
                self.place += 1
                self.step += 1
                if self.step % TOLD_EVERY == 0:
                    done = self.epoch + self.place / len(plan)
                    speed = (time.monotonic() - started) / max(done - first, 1e-9)
                    tell(self._progress(done, recent, speed, None))
                if self.step % self.schedule.save_every == 0:
                    self.save()
                    saved()
            loss = self._total / len(plan)
            self.epoch, self.place, self._total = self.epoch + 1, 0, 0.0
            judged = self.judge()
            self.history.append({"epoch": self.epoch, "train": loss, **judged})
            self.save()
            saved()
            speed = (time.monotonic() - started) / max(self.epoch - (first or 0.0), 1e-9)
            tell(self._progress(self.epoch, recent, speed, judged["val"]))
        return self.mean

    def judge(self) -> dict[str, float]:
        """Return ``val`` and its parts with the mean weights."""
        kept = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.mean)
        with torch.no_grad():
            judged = self.judged()
        self.network.load_state_dict(kept)
        return judged

    def save(self) -> None:
        """Write the whole state in one file, replaced in one step."""
        facts = {
            "step": self.step,
            "epoch": self.epoch,
            "place": self.place,
            "total": self._total,
            "history": self.history,
            "schedules": self.schedules,
            **self._identity,
        }
        others = {"mean": self.mean}
        write_state(self.folder / STATE, self.network, self.optimiser, others, facts)

    def _advance(self, rows: NDArray[np.int64], done: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.learning_rate * self._share_of_rate(done)
        objective, reported = self.loss(rows)
        if not np.isfinite(reported):
            raise InputError(
                f"{self.folder}: the loss of step {self.step + 1:,} is {reported}. The last state "
                "is kept; continue with a lower learning rate, or begin again in another --out."
            )
        self.optimiser.zero_grad()
        objective.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.schedule.clip_norm)
        self.optimiser.step()
        kept = min(self.schedule.average, (1 + self.step) / (20 + self.step))
        with torch.no_grad():
            weights = self.network.state_dict()
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
                [self.mean[name] for name in weights], list(weights.values()), 1.0 - kept
            )
        return reported

    def _share_of_rate(self, done: float) -> float:
        rise = (self.step + 1) / max(1, self.schedule.warmup_steps)
        share = self.schedule.decay_share
        fall = (1.0 - done) / share if share else 1.0
        return min(1.0, rise, fall)

    def _resume(self) -> None:
        states, facts = read_state(self.folder / STATE, self.device)
        for key, value in self._identity.items():
            if facts.get(key, value) != value:  # states of earlier versions say less
                what = {"data": "on other data", "seed": "with another seed"}
                raise InputError(
                    f"{self.folder} holds a training {what.get(key, f'with another {key}')}. "
                    "Choose another --out, or give what it was begun with."
                )
        self.mean = states["mean"]
        self.step, self.epoch, self.place = facts["step"], facts["epoch"], facts["place"]
        self._total, self.history = facts.get("total", 0.0), facts["history"]
        self.schedules = facts.get("schedules", [])
        before, now = (self.schedules or [{}])[-1], asdict(self.schedule)
        general = {field.name for field in fields(Schedule)}
        if any(before.get(key, now[key]) != now[key] for key in now.keys() - general):
            self.place, self._total = 0, 0.0  # its batches are others now
        restore(self.network, self.optimiser, states, self.step)

    def _progress(
        self, epoch: float, recent: list[float], speed: float, val: float | None
    ) -> Progress:
        loss = float(np.mean(recent[-TOLD_EVERY:]))
        left = speed * (self.schedule.epochs - epoch)
        return Progress(epoch, self.schedule.epochs, self.step, loss, val, left)
