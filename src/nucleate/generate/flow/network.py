"""The vector field: how cell and atoms of an unfinished crystal move; needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from nucleate.generate.flow.cells import COLUMNS, ROWS, WEIGHTS
from nucleate.generate.flow.settings import ELEMENTS
from nucleate.generate.flow.surroundings import DIRECTIONS, pair_features, wrapped

if TYPE_CHECKING:
    from torch import Tensor

    from nucleate.generate.flow.settings import FlowSettings

TIMES = 8
"""Sines and cosines of the time."""

LEAST_CONTACT = 0.7
"""Å; of pairs of elements without a usual contact."""


class FlowNetwork(nn.Module):
    """Messages between all pairs of atoms, as often as there are layers.

    Attributes
    ----------
    prior_mean : Tensor, shape (6,)
        Mean log-strain of random cells, relative to a cube of the expected volume.
    prior_spread : Tensor, shape (6, 6)
        Lower triangle whose product with six normal numbers is added to it.
    contacts : Tensor, shape (104, 104)
        Usual shortest contacts in Å by atomic numbers.

    Parameters
    ----------
    settings : FlowSettings
        Sizes.
    """

    prior_mean: Tensor
    prior_spread: Tensor
    contacts: Tensor

    def __init__(self, settings: FlowSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        self.register_buffer("prior_mean", torch.zeros(6))
        self.register_buffer("prior_spread", torch.eye(6))
        self.register_buffer("contacts", torch.full((ELEMENTS, ELEMENTS), 2.0))
        self.element = nn.Embedding(ELEMENTS, width)
        self.start = nn.Linear(6 + 2 * TIMES + 2, width)
        pairs = settings.radial * DIRECTIONS + 6 * settings.waves + 1
        self.layers = nn.ModuleList([_Layer(width, pairs) for _ in range(settings.layers)])
        self.norm = nn.LayerNorm(width)
        self.to_move, self.to_strain = nn.Linear(width, 3, bias=False), nn.Linear(width, 6)
        self.along = nn.Linear(width, 2 * settings.radial)
        for last in (self.to_move, self.to_strain, self.along):
            nn.init.zeros_(last.weight)
        nn.init.zeros_(self.to_strain.bias)
        nn.init.zeros_(self.along.bias)

    def forward(
        self, numbers: Tensor, length: Tensor, strain: Tensor, scaled: Tensor, time: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the velocities of the log-strain (b, 6) and of the fractional coordinates.

        They do not depend on the origin and on how atoms are wrapped; atoms of one element may
        change places. The mean of all atoms does not move.

        Parameters
        ----------
        numbers
            Atomic numbers, shape (b, n).
        length
            Edge in Å of a cube of the expected volume, shape (b,).
        strain
            Log-strain of the cell relative to that cube, shape (b, 6).
        scaled
            Fractional coordinates, shape (b, n, 3).
        time
            From 0 (random) to 1 (crystal), shape (b,).
        """
        n, settings = numbers.shape[1], self.settings
        cells = length[:, None, None] * torch.matrix_exp(_matrix(strain))
        contacts = self.contacts[numbers[:, :, None], numbers[:, None]].clamp(min=LEAST_CONTACT)
        images = pair_features(
            cells, scaled, contacts, radial=settings.radial, cutoff=settings.cutoff
        )
        pairs = torch.cat([images.flatten(3), self._waves(scaled), contacts[..., None].log()], -1)
        turns = time[:, None] * torch.arange(1, TIMES + 1, device=time.device) * (0.5 * np.pi)
        whole = torch.cat(
            [
                4.0 * strain,
                turns.sin(),
                turns.cos(),
                length[:, None].log() - np.log(6.0),
                torch.full_like(time, n / 12.0)[:, None],
            ],
            -1,
        )
        h = self.element(numbers) + self.start(whole)[:, None]
        message = pairs
        for layer in self.layers:
            h, message = layer(h, pairs)
        h = self.norm(h)
        along = self.along(message)
        sums = torch.einsum("bijr,bijrd->bid", along[..., : settings.radial], images[..., :3])
        squares = torch.einsum("bijr,bijrd->bd", along[..., settings.radial :], images[..., 3:])
        move = self.to_move(h) + length[:, None, None] * (sums / n) @ torch.linalg.inv(cells)
        move = move - move.mean(1, keepdim=True)
        return self.to_strain(h.mean(1)) + squares / n**2, move

    def _waves(self, scaled: Tensor) -> Tensor:
        difference = wrapped(scaled[:, None] - scaled[:, :, None])
        turns = torch.arange(1, self.settings.waves + 1, device=scaled.device) * (2.0 * np.pi)
        angles = (difference[..., None] * turns).flatten(3)
        return torch.cat([angles.sin(), angles.cos()], -1)


class _Layer(nn.Module):
    """One round of messages between all pairs."""

    def __init__(self, width: int, pairs: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.receiver, self.sender = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.pair, self.second = nn.Linear(pairs, width, bias=False), nn.Linear(width, width)
        self.update = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, h: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the atoms (b, n, width) after the round, and the messages (b, n, n, width)."""
        known = self.norm(h)
        first = self.receiver(known)[:, :, None] + self.sender(known)[:, None] + self.pair(pairs)
        message = functional.silu(self.second(functional.silu(first)))
        return h + self.update(torch.cat([known, message.mean(2)], -1)), message


def _matrix(six: Tensor) -> Tensor:
    """Return six numbers each (b, 6) as symmetric matrices."""
    matrices = six.new_zeros(six.shape[0], 3, 3)
    values = six / torch.as_tensor(WEIGHTS, dtype=six.dtype, device=six.device)
    matrices[:, ROWS, COLUMNS] = values
    matrices[:, COLUMNS, ROWS] = values
    return matrices
