"""How often each operator was a success, and what weight it has therefore."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY = 50.0
"""Children after which a success has lost all but 1/e of its weight."""

LEAST = 0.25
"""Part of its own share that every operator keeps."""


class Credit:
    """The success of the operators, of which those that succeed are used more.

    The weight of an operator is its own times (s + 1) / (n + 2), where n is the number of its
    children and s that of the successful ones, both discounted: the mean of a Beta distribution.

    Parameters
    ----------
    weights : mapping
        Weight of each operator by its name; 0 switches it off.
    learns : bool
        False keeps the weights.

    Attributes
    ----------
    names : tuple of str
        Of the operators.
    own : ndarray of float64, shape (n_operators,)
        Their weights, where nothing has been learned; the sum is 1.
    """

    def __init__(self, weights: Mapping[str, float], *, learns: bool = True) -> None:
        self.names = tuple(weights)
        self.own = np.array([float(weights[name]) for name in self.names])
        self.own /= self.own.sum()
        self._learns = learns
        self._tried = np.zeros(len(self.names))
        self._won = np.zeros(len(self.names))

    def note(self, name: str, *, success: bool) -> None:
        """Take note of what became of a child."""
        if name not in self.names:
            return
        fade = np.exp(-1.0 / MEMORY)
        self._tried *= fade
        self._won *= fade
        place = self.names.index(name)
        self._tried[place] += 1.0
        self._won[place] += float(success)

    def chances(self) -> np.ndarray:
        """Return the probability of each operator, shape (n_operators,)."""
        if not self._learns:
            return self.own
        learned = self.own * (self._won + 1.0) / (self._tried + 2.0)
        return LEAST * self.own + (1.0 - LEAST) * learned / learned.sum()

    def draw(self, rng: np.random.Generator) -> str:
        """Return an operator."""
        return self.names[rng.choice(len(self.names), p=self.chances())]
