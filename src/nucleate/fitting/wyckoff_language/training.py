"""Training of the language of Wyckoff positions that survives being killed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.fitting.epochs import EpochTrainer, Schedule
from nucleate.fitting.wyckoff_language.exchange import Exchanges
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
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.fitting.wyckoff_language.corpus import Corpus
    from nucleate.generate.wyckoff_language.settings import LanguageSettings

JUDGED = 1500
"""Validation crystals on which every epoch is judged, at most."""


@dataclass(frozen=True, slots=True)
class LanguageTraining(Schedule):
    """How the language is trained.

    Attributes
    ----------
    tokens : int
        About as many in a step.
    augmented : float
        Share of crystals that are read in a random description in place of the canonical one.
    dropout : float
        Share of the numbers between layers that are set to zero.
    exchanged : float
        Share of crystals in which elements are exchanged for similar ones, if there are any.
    """

    learning_rate: float = 1.5e-3
    tokens: int = 1500
    augmented: float = 0.25
    dropout: float = 0.0
    exchanged: float = 0.45


class LanguageTrainer(EpochTrainer[LanguageNetwork]):
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
    withheld : collection of str
        Reduced formulas that exchanges do not make.
    start : mapping, optional
        Weights to begin with; default random ones.
    identity : mapping, optional
        JSON-ready facts that a resumed state must share besides the sizes.
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
        withheld: Collection[str] = (),
        start: Mapping[str, NDArray[Any]] | None = None,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings, self.train, self.val = settings, train, val
        self._read = train
        self._exchanges = Exchanges(train, withheld) if settings.exchanged else None
        self._lengths, self._val_lengths = lengths_of(train), lengths_of(val)
        torch.manual_seed(settings.seed)
        shared = {"network": asdict(network), "crystals": len(train.canonical)}
        made = LanguageNetwork(network)
        if start is not None:
            made.load_state_dict({name: torch.tensor(value) for name, value in start.items()})
        made.set_dropout(settings.dropout)
        super().__init__(
            folder, made, settings, train, shared | dict(identity or {}), device=device
        )

    def plan(self) -> list[NDArray[np.int64]]:
        """Return the batches of the present pass."""
        rng = np.random.default_rng([self.settings.seed, self.epoch])
        first = self.train.canonical
        count = np.diff(np.append(first, len(self.train)))
        other = rng.integers(1, np.maximum(count, 2)) % count
        chosen = first + np.where(rng.random(first.size) < self.settings.augmented, other, 0)
        found = list(batches(self._lengths, chosen, self.settings.tokens, rng))
        if self._exchanges is not None:
            self._read = self._exchanges.read(self.train, chosen, self.settings.exchanged, rng)
        return found

    def loss(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, float]:
        """Return what is minimised on a batch, and the mean nats of its crystals."""
        torch.manual_seed(self.settings.seed + self.step)  # what is dropped, also after a restart
        self.network.train()
        lesson = lesson_of(self._read, rows, self._lengths)
        parts = losses(self.network, lesson, self.device)
        return objective(parts, lesson), float(
            sum(value.detach().mean() for value in parts.values())
        )

    def judged(self) -> dict[str, float]:
        """Return the mean nats of validation crystals, in all and by part."""
        self.network.eval()
        chosen = self.val.canonical
        if chosen.size > JUDGED:
            chosen = np.random.default_rng(0).choice(chosen, JUDGED, replace=False)
        sums: dict[str, float] = dict.fromkeys(PARTS, 0.0)
        for rows in batches(self._val_lengths, chosen, 3000, np.random.default_rng(0)):
            lesson = lesson_of(self.val, rows, self._val_lengths)
            for name, value in losses(self.network, lesson, self.device).items():
                sums[name] += float(value.sum())
        parts = {name: value / chosen.size for name, value in sums.items()}
        return {"val": sum(parts.values()), **parts}
