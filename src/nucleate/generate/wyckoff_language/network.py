"""The network that is trained: a causal transformer with a head for each kind of word (torch).

Crystals are written by :mod:`nucleate.generate.wyckoff_language.forward`, which needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nucleate.generate.wyckoff import N_SPACE_GROUPS
from nucleate.generate.wyckoff_language.settings import (
    COARSE,
    ELEMENTS,
    FINE,
    LEAST_LOG_SCALE,
    MOST_LOG_SCALE,
    MOST_POSITIONS,
    MOST_SLOTS,
    N_SYSTEMS,
    WAVES,
    LanguageSettings,
)
from nucleate.generate.wyckoff_language.tokens import CELL, GROUP, N_FEATURES, N_SCALARS, places

if TYPE_CHECKING:
    from nucleate.generate.wyckoff_language.tokens import Batch

Inputs = dict[str, Tensor]


def inputs_of(batch: Batch, device: str = "cpu") -> Inputs:
    """Return a batch as tensors."""
    return {name: torch.from_numpy(getattr(batch, name)).to(device) for name in batch.__slots__}


class Block(nn.Module):
    """One layer: attention to earlier tokens, then a feed-forward network."""

    def __init__(self, settings: LanguageSettings) -> None:
        super().__init__()
        width = settings.width
        self.heads = settings.heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.drop = nn.Dropout(0.0)
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.rise, self.fall = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return new descriptions of tokens, each of which sees those before it."""
        n, length, width = x.shape
        mixed = self.mix(self.norm1(x)).view(n, length, 3, self.heads, width // self.heads)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        found = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.drop(self.out(found.transpose(1, 2).reshape(n, length, width)))
        return x + self.drop(self.fall(functional.gelu(self.rise(self.norm2(x)))))


class LanguageNetwork(nn.Module):
    """Reads tokens and predicts what follows each of them.

    Parameters
    ----------
    settings : LanguageSettings
        Sizes.
    """

    features: Tensor

    def __init__(self, settings: LanguageSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.width
        table = places()
        self.register_buffer("features", torch.from_numpy(table.features), persistent=False)
        self.kind = nn.Embedding(8, width)
        self.element, self.next_element = (nn.Embedding(ELEMENTS, width) for _ in range(2))
        self.group = nn.Embedding(N_SPACE_GROUPS + 1, width)
        self.position = nn.Embedding(len(table.features) + 1, width)
        self.position_features = nn.Linear(N_FEATURES, width)
        self.next_position = nn.Linear(width, width)
        self.slot = nn.Embedding(MOST_SLOTS, width)
        self.step = nn.Embedding(settings.most_orbits + 2, width)
        self.scalars = nn.Sequential(
            nn.Linear(N_SCALARS, width), nn.GELU(), nn.Linear(width, width)
        )
        self.point = nn.Linear(6 * len(WAVES), width)
        self.cell = nn.Sequential(nn.Linear(6, width), nn.GELU(), nn.Linear(width, width))
        self.drop = nn.Dropout(0.0)
        self.blocks = nn.ModuleList([Block(settings) for _ in range(settings.layers)])
        self.norm = nn.LayerNorm(width)
        self.to_group = nn.Linear(width, N_SPACE_GROUPS + 1)
        self.to_position = nn.Linear(width, width)
        self.position_bias = nn.Embedding(len(table.features) + 1, 1)
        self.cell_kind = nn.Embedding(6 * N_SYSTEMS, width)
        self.cell_before = nn.Linear(6, width)
        self.cell_in = nn.Linear(width, width)
        self.cell_out = nn.Linear(width, 3 * settings.components)
        self.free_kind = nn.Embedding(3, width)
        self.free_before = nn.Linear(4 * len(WAVES), width)
        self.free_in = nn.Linear(width, width)
        self.coarse = nn.Linear(width, COARSE)
        self.coarse_in = nn.Embedding(COARSE, width)
        self.fine_in = nn.Linear(width, width)
        self.fine = nn.Linear(width, FINE)
        for table_ in self.modules():
            if isinstance(table_, nn.Embedding):
                nn.init.normal_(table_.weight, std=0.05)
        nn.init.zeros_(self.position_bias.weight)

    def set_dropout(self, share: float) -> None:
        """Set the share of numbers that are dropped in the training."""
        for part in self.modules():
            if isinstance(part, nn.Dropout):
                part.p = share

    def embedded(self, inputs: Inputs) -> Tensor:
        """Return the descriptions of tokens before the first layer, shape (n, length, width)."""
        kind = inputs["kind"]
        x = self.kind(kind) + self.element(inputs["element"])
        x = x + self.next_element(inputs["next_element"])
        x = x + self.slot(inputs["slot"].clamp(max=MOST_SLOTS - 1))
        x = x + self.step(inputs["step"].clamp(max=self.settings.most_orbits + 1))
        x = x + self.scalars(inputs["scalars"])
        known, following = inputs["position"], inputs["next_position"]
        x = x + (self.described(known) * (known > 0)[..., None])
        x = x + self.next_position(self.described(following)) * (following > 0)[..., None]
        x = x + self.point(waves(inputs["point"])) * (known > 0)[..., None]
        x = x + self.group(inputs["group"])[:, None] * (kind == GROUP)[..., None]
        return x + self.cell(inputs["cell"])[:, None] * (kind == CELL)[..., None]

    def described(self, rows: Tensor) -> Tensor:
        """Return what is known of Wyckoff positions, given as rows plus 1."""
        return self.position(rows) + self.position_features(self.features[(rows - 1).clamp(min=0)])

    def forward(self, inputs: Inputs) -> Tensor:
        """Return the descriptions of tokens after the last layer."""
        x = self.drop(self.embedded(inputs))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def group_logits(self, x: Tensor) -> Tensor:
        """Return logits of the space groups, shape (n, 231), from tokens (n, width)."""
        return self.to_group(x)

    def position_logits(self, x: Tensor, group: Tensor) -> Tensor:
        """Return logits of the positions of each sequence's group, shape (n, length, 27)."""
        start = torch.as_tensor(places().start, device=x.device)
        rows = start[group][:, None] + torch.arange(MOST_POSITIONS, device=x.device)
        rows = (rows + 1).clamp(max=self.position.num_embeddings - 1)
        scores = self.to_position(x) @ self.described(rows).transpose(1, 2)
        scale = self.settings.width**-0.5
        return scores * scale + self.position_bias(rows)[..., 0][:, None]

    def cell_mixture(self, x: Tensor, group: Tensor, cell: Tensor, number: int) -> Tensor:
        """Return mixture parameters of one cell number given those before it, shape (n, 3, k).

        Logarithms of shares, means, logarithms of widths.
        """
        system = torch.as_tensor(places().system, device=x.device)[group]
        before = cell * (torch.arange(6, device=x.device) < number)
        hidden = self.cell_in(x) + self.cell_before(before)
        hidden = functional.gelu(hidden + self.cell_kind(system * 6 + number))
        share, mean, width = self.cell_out(hidden).view(len(x), 3, -1).unbind(1)
        spread = torch.linspace(-2.0, 2.0, share.shape[1], device=x.device)
        width = width.clamp(LEAST_LOG_SCALE, MOST_LOG_SCALE)
        return torch.stack([share.log_softmax(-1), mean + spread, width], 1)

    def free_hidden(self, x: Tensor, free: Tensor, number: int) -> Tensor:
        """Return what decides a free coordinate given those before it, shape (n, width)."""
        known = (torch.arange(2, device=x.device) < number)[:, None]
        before = _waves_of(free[:, :2]) * known
        hidden = self.free_in(x) + self.free_before(before.flatten(1))
        return functional.gelu(hidden + self.free_kind.weight[number])

    def fine_logits(self, hidden: Tensor, coarse: Tensor) -> Tensor:
        """Return logits of the offset in a bin, shape (n, 9)."""
        return self.fine(functional.gelu(self.fine_in(hidden + self.coarse_in(coarse))))


def waves(points: Tensor) -> Tensor:
    """Return sines and cosines of periodic coordinates, the last axis flattened."""
    return _waves_of(points).flatten(-2)


def _waves_of(points: Tensor) -> Tensor:
    turns = torch.tensor(WAVES, dtype=points.dtype, device=points.device) * (2.0 * np.pi)
    angles = points[..., None] * turns
    return torch.cat([angles.sin(), angles.cos()], -1)


def mixture_log_density(mixture: Tensor, value: Tensor) -> Tensor:
    """Return the log density of values (n,) under mixtures (n, 3, k) of Gaussians."""
    share, mean, width = mixture.unbind(1)
    off = (value[:, None] - mean) * torch.exp(-width)
    return torch.logsumexp(share - 0.5 * off**2 - width - 0.5 * np.log(2.0 * np.pi), 1)
