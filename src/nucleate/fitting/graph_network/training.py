"""Training of a graph network that survives being killed."""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.errors import InputError
from nucleate.fitting.graph_network.captured import Captured
from nucleate.fitting.graph_network.evaluation import mean_absolute_error
from nucleate.fitting.graph_network.examples import Resident
from nucleate.fitting.state import digest_of, read_state, restore, write_state
from nucleate.networks.graph_network.checkpoint import build_network
from nucleate.networks.graph_network.settings import HarmonicSettings, settings_to_dict

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.fitting.graph_network.examples import Examples
    from nucleate.fitting.graph_network.settings import TrainingSettings
    from nucleate.networks.graph_network.settings import NetworkSettings

logger = logging.getLogger(__name__)
STATE = "state.safetensors"
EVALUATION_BATCH, EVALUATION_BATCH_ON_GPU = 96, 1024


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a training, reported after every epoch and every hundred steps.

    Attributes
    ----------
    step, steps : int
        Steps done and planned.
    epoch : float
        Passes over the training set done.
    loss : float
        Mean absolute error of the last hundred batches, eV/atom.
    val_mae : float or None
        Validation error in eV/atom, at the end of an epoch.
    left_s : float
        Estimated seconds to the last planned step.
    """

    step: int
    steps: int
    epoch: float
    loss: float
    val_mae: float | None
    left_s: float


class Trainer:
    """Trains one network, saving all of its state so that a resumed run continues in the same way.

    On a CPU that is to the bit; on a GPU sums run in any order.

    Parameters
    ----------
    folder : Path
        Where the state lives; a state found there is resumed.
    network : HarmonicSettings or MegnetSettings
        Sizes of the network.
    settings : TrainingSettings
        How to train.
    examples : Examples
        All crystals, of which `train` and `val` are rows.
    train, val : ndarray of int64
        Rows.
    perturbed : Examples or None
        Perturbed copies of training crystals.
    device : str
        ``cpu``, ``cuda`` or ``cuda:1``.
    captured : bool
        On a GPU, launch the kernels of a step as one (harmonic network only).

    Raises
    ------
    InputError
        If there is nothing to train or to validate on, or the folder holds another network, or a
        training with other data or another seed.
    """

    def __init__(
        self,
        folder: Path,
        network: NetworkSettings,
        settings: TrainingSettings,
        examples: Examples,
        *,
        train: NDArray[np.int64],
        val: NDArray[np.int64],
        perturbed: Examples | None = None,
        device: str = "cpu",
        captured: bool = True,
    ) -> None:
        if train.size == 0 or val.size == 0:
            raise InputError(f"{train.size} training and {val.size} validation crystals: need both")
        self.folder, self.settings, self.device = folder, settings, device
        self.on_gpu = device.startswith("cuda")
        self.network_settings = network
        self.labelled = len(examples.graphs)
        self._data = _digest_of(examples, perturbed, train, val)
        self.copies = np.arange(0 if perturbed is None else len(perturbed.graphs)) + self.labelled
        known = examples if perturbed is None else examples.joined(perturbed)
        self.examples = Resident(known, device)
        self.train, self.val = train, val
        torch.manual_seed(settings.seed)
        self.network = build_network(network).to(device)
        if settings.baseline and isinstance(network, HarmonicSettings):
            self._fit_baseline(examples)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            lr=torch.tensor(settings.learning_rate, device=device),
            weight_decay=settings.weight_decay,
            betas=(0.9, 0.99 if settings.average else 0.999),
            eps=1e-8 if settings.average else 1e-7,
            fused=True,
            capturable=self.on_gpu,
        )
        self.mean = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
        self.best = {k: v.clone() for k, v in self.mean.items()}
        self._captured = Captured(self._update_padded)
        self._most_atoms = self._usual_atoms() if captured and self.on_gpu else 0
        self.step = 0
        self.history: list[dict[str, float]] = []
        self._error_sum = torch.zeros(())
        self._error_count = 0
        """Training errors of the present epoch."""
        if (folder / STATE).is_file():
            self._resume()

    @property
    def steps_per_epoch(self) -> int:
        """Steps in a pass over the training set."""
        return max(1, self.train.size // self.settings.batch_size)

    def run(
        self, *, tell: Callable[[Progress], None] | None = None, until_step: int | None = None
    ) -> dict[str, torch.Tensor]:
        """Train to the end (or to a step) and return the best weights."""
        steps = self.steps_per_epoch * self.settings.epochs
        end = steps if until_step is None else min(steps, until_step)
        started, first, order = time.monotonic(), self.step, self._order()
        recent: list[torch.Tensor] = []
        while self.step < end and not self._stale():
            place = self.step % self.steps_per_epoch * self.settings.batch_size
            recent.append(self._advance(order[place : place + self.settings.batch_size], steps))
            self._error_sum, self._error_count = self._error_sum + recent[-1], self._error_count + 1
            self.step += 1
            epoch_ends = self.step % self.steps_per_epoch == 0
            if epoch_ends:
                self._judge(float(self._error_sum) / self._error_count)
                self._error_sum, self._error_count = torch.zeros(()), 0
                order = self._order()
            is_told, loss = epoch_ends or self.step % 100 == 0, 0.0
            if is_told:
                recent = recent[-100:]
                loss = float(torch.stack(recent).mean())
                self._check(loss)
            if epoch_ends or self.step % self.settings.save_every == 0:
                self.save()
            if tell and is_told:
                speed = (time.monotonic() - started) / (self.step - first)
                tell(self._progress(steps, loss, speed, told_val=epoch_ends))
        self.save()
        return self.best

    def _check(self, loss: float) -> None:
        """Refuse energies that are not finite, from which a training does not recover."""
        if not np.isfinite(loss) or (self.history and not np.isfinite(self.history[-1]["val_mae"])):
            raise InputError(
                f"the energies of the network are not finite after step {self.step}. Train again "
                "in another folder with a lower learning rate."
            )

    def _order(self) -> NDArray[np.int64]:
        """Return the training rows in the order of the present epoch."""
        seed = [self.settings.seed, self.step // self.steps_per_epoch]
        return np.random.default_rng(seed).permutation(self.train)

    def predict(self, weights: dict[str, torch.Tensor], rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return energies of rows of the examples in eV/atom with some weights."""
        kept = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(weights)
        self.network.eval()
        parts = []
        size = EVALUATION_BATCH_ON_GPU if self.on_gpu else EVALUATION_BATCH
        with torch.no_grad():
            for first in range(0, rows.size, size):
                batch = rows[first : first + size]
                parts.append(self.network(**self.examples.batcher.take(batch)).cpu().numpy())
        self.network.load_state_dict(kept)
        self.network.train()
        return np.concatenate(parts) if parts else np.zeros(0)

    def save(self) -> None:
        """Write the whole state in one file, replaced in one step."""
        facts = {
            "step": self.step,
            "history": self.history,
            "network": settings_to_dict(self.network_settings),
            "training": asdict(self.settings),
            "data": self._data,
            "running": (float(self._error_sum), self._error_count),
        }
        others = {"mean": self.mean, "best": self.best}
        write_state(self.folder / STATE, self.network, self.optimiser, others, facts)

    def _resume(self) -> None:
        states, facts = read_state(self.folder / STATE, self.device)
        if facts["network"] != settings_to_dict(self.network_settings):
            raise InputError(
                f"{self.folder} holds the training of another network ({facts['network']}); "
                "choose another folder or the same configuration"
            )
        given = {"data": self._data, "seed": self.settings.seed}
        before = {"data": facts.get("data", self._data), "seed": facts["training"]["seed"]}
        for key, own in given.items():
            if before[key] != own:
                raise InputError(
                    f"{self.folder} holds a training with other {key}; choose another folder, or "
                    f"give the {key} of before"
                )
        self.mean, self.best = states["mean"], states["best"]
        total, self._error_count = facts.get("running", (0.0, 0))
        self._error_sum = torch.tensor(total)
        self.step, self.history = facts["step"], facts["history"]
        restore(self.network, self.optimiser, states, self.step)
        logger.info("resumed at step %d", self.step)

    def _fit_baseline(self, examples: Examples) -> None:
        """Fit reference energies of the elements, which the network then corrects."""
        elements = self.network_settings.elements
        fractions = examples.graphs.fractions(elements)[self.train]
        energies = examples.energies[self.train].astype(np.float64)
        normal = fractions.T @ fractions + np.eye(elements)
        fitted = np.linalg.solve(normal, fractions.T @ energies)
        self.network.composition.copy_(torch.from_numpy(fitted).float())  # type: ignore[operator]

    def _advance(self, batch: NDArray[np.int64], steps: int) -> torch.Tensor:
        settings = self.settings
        for group in self.optimiser.param_groups:
            group["lr"].fill_(settings.learning_rate * self._schedule(steps))
        copies = round(settings.perturbed_share * batch.size) if self.copies.size else 0
        rng = np.random.default_rng([settings.seed, self.step, 1])
        error = self._updated(np.concatenate([batch, rng.choice(self.copies, copies)]))
        kept = min(settings.average, (1 + self.step) / (20 + self.step))
        with torch.no_grad():
            weights = self.network.state_dict()
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
                [self.mean[name] for name in weights],
                list(weights.values()),
                1.0 - kept if settings.average else 1.0,
            )
        return error

    def _updated(self, crystals: NDArray[np.int64]) -> torch.Tensor:
        """Update the weights on a batch and return its mean absolute error, copies apart."""
        rows = torch.from_numpy(crystals).to(self.device, non_blocking=True)
        atoms = int(self.examples.sizes[crystals].sum())
        if atoms <= self._most_atoms:
            places = self.examples.batcher.places(crystals, self._most_atoms)
            return self._captured(torch.from_numpy(places).to(self.device), rows)
        return self._update(self.examples.batcher.take(crystals), rows)

    def _usual_atoms(self) -> int:
        """Return a number of atoms that nearly all steps keep to (five standard deviations)."""
        if not isinstance(self.network_settings, HarmonicSettings):
            return 0
        batch = self.settings.batch_size
        mean = variance = 0.0
        for rows, count in (
            (self.train, batch),
            (self.copies, round(self.settings.perturbed_share * batch)),
        ):
            if rows.size:
                sizes = self.examples.sizes[rows]
                mean, variance = mean + count * sizes.mean(), variance + count * sizes.var()
        most = int(mean + 5 * variance**0.5)
        return max(most, int(self.examples.sizes.max()))

    def _update_padded(self, places: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return self._update(self.examples.batcher.gathered(places, rows.numel() + 1), rows)

    def _update(self, inputs: dict[str, Any], rows: torch.Tensor) -> torch.Tensor:
        wrong = self.network(**inputs)[: rows.numel()] - self.examples.energies[rows]
        size = wrong.square() if self.settings.loss == "mse" else wrong.abs()
        loss = (size * self.examples.weights[rows]).mean()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.settings.clip_norm)
        self.optimiser.step()
        known = rows < self.labelled
        return (wrong.detach().abs() * known).sum() / known.sum()

    def _schedule(self, steps: int) -> float:
        rise = (self.step + 1) / max(1, self.settings.warmup_steps)
        falling = self.settings.decay_share * steps
        fall = (steps - self.step) / falling if falling else 1.0
        return min(1.0, rise, fall)

    def _judge(self, loss: float) -> None:
        mae = mean_absolute_error(
            self.predict(self.mean, self.val), self.examples.energies[self.val].cpu().numpy()
        )
        if mae < min((entry["val_mae"] for entry in self.history), default=np.inf):
            self.best = {k: v.clone() for k, v in self.mean.items()}
        epoch = self.step / self.steps_per_epoch
        self.history.append({"epoch": epoch, "train_mae": loss, "val_mae": mae})

    def _stale(self) -> bool:
        if not self.history:
            return False
        errors = [entry["val_mae"] for entry in self.history]
        return len(errors) - 1 - int(np.argmin(errors)) >= self.settings.patience

    def _progress(self, steps: int, loss: float, speed: float, *, told_val: bool) -> Progress:
        return Progress(
            step=self.step,
            steps=steps,
            epoch=self.step / self.steps_per_epoch,
            loss=loss,
            val_mae=self.history[-1]["val_mae"] if told_val else None,
            left_s=speed * (steps - self.step),
        )


def _digest_of(
    examples: Examples,
    perturbed: Examples | None,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
) -> str:
    """Return a digest of what a network learns from and is judged on."""
    digest = hashlib.sha256(train.tobytes() + b" " + val.tobytes())
    for item in filter(None, (examples, perturbed)):
        digest.update(digest_of(item.graphs).encode())
        digest.update(item.energies.tobytes() + item.weights.tobytes())
    return digest.hexdigest()[:16]
