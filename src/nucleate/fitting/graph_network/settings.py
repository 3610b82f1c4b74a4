"""How networks are trained."""

from __future__ import annotations

from dataclasses import dataclass

from nucleate.fitting.rate import check_rate


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a network is trained.

    Attributes
    ----------
    epochs : int
        Most passes over the training set.
    batch_size : int
        Crystals in a step.
    learning_rate : float
        Of Adam, after a warm-up of `warmup_steps`.
    decay_share : float
        Share of the steps at the end over which the rate falls linearly to zero.
    weight_decay : float
        Decoupled weight decay.
    clip_norm : float
        Largest norm of the gradient.
    loss : str
        ``mae`` or ``mse``, of eV/atom.
    average : float
        Decay per step of the running mean of the weights that is judged and kept; 0 keeps the
        weights themselves.
    warmup_steps : int
        Steps over which the rate rises linearly.
    patience : int
        Epochs without a better validation error after which training stops.
    save_every : int
        Steps between checkpoints.
    perturbed_share : float
        Perturbed copies added to each step, as a share of the batch.
    baseline : bool
        Start from a linear fit of the energies to the composition (harmonic network only).
    seed : int
        Of the weights and of the order of the crystals.
    """

    epochs: int = 60
    batch_size: int = 32
    learning_rate: float = 1.5e-3
    decay_share: float = 0.5
    weight_decay: float = 0.01
    clip_norm: float = 2.0
    loss: str = "mae"
    average: float = 0.999
    warmup_steps: int = 500
    patience: int = 50
    save_every: int = 500
    perturbed_share: float = 0.1
    baseline: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        check_rate(self.learning_rate)


REFERENCE_TRAINING = TrainingSettings(
    epochs=1000,
    batch_size=200,
    learning_rate=1e-3,
    decay_share=0.0,
    weight_decay=0.0,
    clip_norm=3.0,
    loss="mse",
    average=0.0,
    warmup_steps=0,
    perturbed_share=0.0,
    baseline=False,
)
"""Training of the reference MEGNet: constant rate, mean square error, patience of 50 epochs."""
