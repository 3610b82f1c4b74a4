"""Training of the language of Wyckoff positions that survives being killed."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.errors import InputError
from nucleate.fitting.state import read_state, restore, write_state
from nucleate.fitting.wyckoff_language.lessons import (
    PARTS,
    batches,
    lengths_of,
    lesson_of,
    losses,
    objective,
)
from nucleate.generate.wyckoff_language.network import LanguageNetwork

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.fitting.wyckoff_language.corpus import Corpus
    from nucleate.generate.wyckoff_language.settings import LanguageSettings

STATE = "state.safetensors"
JUDGED = 1500
"""Validation crystals on which every epoch is judged, at most."""


@dataclass(frozen=True, slots=True)
class LanguageTraining:
    """How the language is trained.

    Attributes
    ----------
    epochs : int
        Passes over the training crystals.
    tokens : int
        About as many in a step.
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
    augmented : float
        Share of crystals that are read in a random description in place of the canonical one.
    save_every : int
        Steps between states.
    seed : int
        Of weights, order and descriptions.
    """

    epochs: int = 10
    tokens: int = 1500
    learning_rate: float = 1.5e-3
    decay_share: float = 0.5
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    average: float = 0.998
    warmup_steps: int = 300
    augmented: float = 0.25
    save_every: int = 250
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a training, reported every fifty steps and after every epoch.

    Attributes
    ----------
    epoch : float
        Passes done.
    epochs : int
        Passes planned.
    step : int
        Steps done.
    loss : float
        Nats of a crystal, mean over the last fifty steps.
    val : float or None
        Nats of a validation crystal, at the end of an epoch.
    left_s : float
        Estimated seconds to the end.
    """

    epoch: float
    epochs: int
    step: int
    loss: float
    val: float | None
    left_s: float


class LanguageTrainer:
    """Trains the network, saving all of its state so that a resumed run continues.

    Parameters
    ----------
    folder : Path
        Where the state is kept; a state found there is resumed.
    network : LanguageSettings
        Sizes.
    settings : LanguageTraining
        How to train.
    train, val : Corpus
        Sentences.
    device : str
        ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        folder: Path,
        network: LanguageSettings,
        settings: LanguageTraining,
        train: Corpus,
        val: Corpus,
        *,
        device: str = "cpu",
    ) -> None:
        self.folder, self.sizes, self.settings, self.device = folder, network, settings, device
        self.train, self.val = train, val
        self._lengths, self._val_lengths = lengths_of(train), lengths_of(val)
        torch.manual_seed(settings.seed)
        self.network = LanguageNetwork(network).to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.98),
        )
        self.mean = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.step = self.epoch = self.place = 0
        self.history: list[dict[str, Any]] = []
        if (folder / STATE).is_file():
            self._resume()

    def run(
        self,
        *,
        tell: Callable[[Progress], None] = lambda _: None,
        saved: Callable[[], None] = lambda: None,
    ) -> dict[str, torch.Tensor]:
        """Train to the end and return the mean weights; ``saved`` is called after every state."""
        started, first = time.monotonic(), None
        recent: list[float] = []
        while self.epoch < self.settings.epochs:
            plan = self._plan()
            while self.place < len(plan):
                done = self.epoch + self.place / len(plan)
                first = done if first is None else first
                recent.append(self._advance(plan[self.place], done / self.settings.epochs))
                self.place += 1
                self.step += 1
                if self.step % 50 == 0:
                    done = self.epoch + self.place / len(plan)
                    speed = (time.monotonic() - started) / max(done - first, 1e-9)
                    tell(self._progress(done, recent, speed, None))
                if self.step % self.settings.save_every == 0:
                    self.save()
                    saved()
            self.epoch, self.place = self.epoch + 1, 0
            judged = self.judge()
            loss = float(np.mean(recent[-len(plan) :]))
            self.history.append({"epoch": self.epoch, "train": loss, **judged})
            self.save()
            saved()
            speed = (time.monotonic() - started) / max(self.epoch - (first or 0.0), 1e-9)
            tell(self._progress(self.epoch, recent, speed, judged["val"]))
        return self.mean

    def judge(self) -> dict[str, float]:
        """Return the mean nats of validation crystals, in all and by part, with mean weights."""
        chosen = self.val.canonical
        if chosen.size > JUDGED:
            chosen = np.random.default_rng(0).choice(chosen, JUDGED, replace=False)
        kept = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.mean)
        sums: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        with torch.no_grad():
            for rows in batches(self._val_lengths, chosen, 3000, np.random.default_rng(0)):
                lesson = lesson_of(self.val, rows, self._val_lengths)
                for name, value in losses(self.network, lesson, self.device).items():
                    sums[name] += float(value.sum())
        self.network.load_state_dict(kept)
        parts = {name: value / chosen.size for name, value in sums.items()}
        return {"val": sum(parts.values()), **parts}

    def save(self) -> None:
        """Write the whole state in one file, replaced in one step."""
        facts = {
            "step": self.step,
            "epoch": self.epoch,
            "place": self.place,
            "history": self.history,
            "network": asdict(self.sizes),
            "crystals": len(self.train.canonical),
        }
        others = {"mean": self.mean}
        write_state(self.folder / STATE, self.network, self.optimiser, others, facts)

    def _plan(self) -> list[NDArray[np.int64]]:
        """Return the batches of the present epoch."""
        rng = np.random.default_rng([self.settings.seed, self.epoch])
        first = self.train.canonical
        count = np.diff(np.append(first, len(self.train)))
        other = rng.integers(1, np.maximum(count, 2)) % count
        chosen = first + np.where(rng.random(first.size) < self.settings.augmented, other, 0)
        return list(batches(self._lengths, chosen, self.settings.tokens, rng))

    def _advance(self, rows: NDArray[np.int64], done: float) -> float:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.learning_rate * self._schedule(done)
        lesson = lesson_of(self.train, rows, self._lengths)
        parts = losses(self.network, lesson, self.device)
        self.optimiser.zero_grad()
        objective(parts, lesson).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimiser.step()
        kept = min(self.settings.average, (1 + self.step) / (20 + self.step))
        with torch.no_grad():
            weights = self.network.state_dict()
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
                [self.mean[name] for name in weights], list(weights.values()), 1.0 - kept
            )
        return float(sum(value.detach().mean() for value in parts.values()))

    def _schedule(self, done: float) -> float:
        rise = (self.step + 1) / max(1, self.settings.warmup_steps)
        share = self.settings.decay_share
        fall = (1.0 - done) / share if share else 1.0
        return min(1.0, rise, fall)

    def _resume(self) -> None:
        states, facts = read_state(self.folder / STATE, self.device)
        same = facts["crystals"] == len(self.train.canonical)
        if facts["network"] != asdict(self.sizes) or not same:
            raise InputError(
                f"{self.folder} holds the training of another network or other data; choose "
                "another --out"
            )
        self.mean = states["mean"]
        self.step, self.epoch, self.place = facts["step"], facts["epoch"], facts["place"]
        self.history = facts["history"]
        restore(self.network, self.optimiser, states, self.step)

    def _progress(
        self, epoch: float, recent: list[float], speed: float, val: float | None
    ) -> Progress:
        loss = float(np.mean(recent[-50:]))
        left = speed * (self.settings.epochs - epoch)
        return Progress(epoch, self.settings.epochs, self.step, loss, val, left)
