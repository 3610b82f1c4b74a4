"""The forward pass of the network without torch; import where needed (numba).

It is :class:`~nucleate.generate.wyckoff_language.network.LanguageNetwork` without gradients.
Importing torch would take longer than writing the crystals of a run.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

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
)
from nucleate.generate.wyckoff_language.tokens import CELL, GROUP, N_FEATURES, N_SCALARS, places

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.generate.wyckoff_language.settings import LanguageSettings
    from nucleate.generate.wyckoff_language.tokens import Batch

Floats = NDArray[np.float32]
Cache = list[tuple[Floats, Floats]]

ERF_REACH = 3.9
"""Beyond it the error function is 1 in single precision."""


def _erf_polynomial() -> tuple[np.float32, ...]:
    """Return erf(x) / x as a polynomial in 2 (x / ERF_REACH)² - 1, highest power first.

    It is exact to 4e-7 and, unlike the function itself, compiled for several numbers at a time.
    """
    nodes = chebyshev.chebpts1(400)
    x = np.sqrt(0.5 * (nodes + 1.0)) * ERF_REACH
    values = np.array([math.erf(value) for value in x]) / x
    fitted = chebyshev.cheb2poly(chebyshev.chebfit(nodes, values, 14))
    return tuple(np.float32(value) for value in fitted[::-1])


_ERF = _erf_polynomial()
_EPSILON = np.float32(1e-5)


class _Weights:
    """Hands out arrays by name, each of which must have the expected shape."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._left = dict(arrays)

    def take(self, name: str, *shape: int) -> Floats:
        found = self._left.pop(name, None)
        has = None if found is None else found.shape
        if found is None or has != shape:
            raise ValueError(f"weight {name} has the shape {has}, not {shape}")
        return np.ascontiguousarray(found, dtype=np.float32)

    def check_empty(self) -> None:
        for name, array in self._left.items():
            raise ValueError(f"weight {name} has the shape {array.shape}, not None")


class _Linear:
    def __init__(self, weights: _Weights, name: str, size: int, made: int) -> None:
        self._matrix = np.ascontiguousarray(weights.take(f"{name}.weight", made, size).T)
        self._shift = weights.take(f"{name}.bias", made)

    def __call__(self, x: Floats) -> Floats:
        return x @ self._matrix + self._shift


class _Norm:
    def __init__(self, weights: _Weights, name: str, width: int) -> None:
        self._scale, self._shift = (
            weights.take(f"{name}.{part}", width) for part in ("weight", "bias")
        )

    def __call__(self, x: Floats) -> Floats:
        off = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((off * off).mean(-1, keepdims=True) + _EPSILON)
        return off / spread * self._scale + self._shift


class _Block:
    """One layer: attention to earlier tokens, then a feed-forward network."""

    def __init__(self, weights: _Weights, name: str, settings: LanguageSettings) -> None:
        width, self._heads = settings.width, settings.heads
        self._norm1 = _Norm(weights, f"{name}.norm1", width)
        self._norm2 = _Norm(weights, f"{name}.norm2", width)
        self._mix = _Linear(weights, f"{name}.mix", width, 3 * width)
        self._out = _Linear(weights, f"{name}.out", width, width)
        self._rise = _Linear(weights, f"{name}.rise", width, 4 * width)
        self._fall = _Linear(weights, f"{name}.fall", 4 * width, width)

    def __call__(
        self, x: Floats, past: tuple[Floats, Floats] | None, mask: NDArray[np.bool_] | None
    ) -> tuple[Floats, tuple[Floats, Floats]]:
        n, length, width = x.shape
        mixed = self._mix(self._norm1(x)).reshape(n, length, 3, self._heads, -1)
        query, key, value = mixed.transpose(2, 0, 3, 1, 4)
        if past is not None:
            key, value = np.concatenate([past[0], key], 2), np.concatenate([past[1], value], 2)
        scores = query @ key.swapaxes(2, 3) * np.float32(query.shape[-1] ** -0.5)
        if mask is not None:
            scores = np.where(mask, scores, np.float32(-np.inf))
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        shares /= shares.sum(-1, keepdims=True)
        found = (shares @ value).transpose(0, 2, 1, 3).reshape(n, length, width)
        x = x + self._out(found)
        return x + self._fall(gelu(self._rise(self._norm2(x)))), (key, value)


class ForwardNetwork:
    """Reads tokens and predicts what follows each of them.

    Parameters
    ----------
    settings : LanguageSettings
        Sizes.
    arrays : mapping of str to ndarray
        All weights by name.

    Raises
    ------
    ValueError
        If a weight is missing, is not known, or has another shape than the sizes say.
    """

    def __init__(self, settings: LanguageSettings, arrays: Mapping[str, NDArray[Any]]) -> None:
        weights, width, table = _Weights(arrays), settings.width, places()
        rows = len(table.features)
        self.settings = settings

        def linear(name: str, size: int = width, made: int = width) -> _Linear:
            return _Linear(weights, name, size, made)

        def embedding(name: str, size: int) -> Floats:
            return weights.take(f"{name}.weight", size, width)

        self._kind = embedding("kind", 8)
        self._element = embedding("element", ELEMENTS)
        self._next_element = embedding("next_element", ELEMENTS)
        self._group = embedding("group", N_SPACE_GROUPS + 1)
        features = linear("position_features", N_FEATURES)
        known = np.concatenate([table.features[:1], table.features])
        self._described = embedding("position", rows + 1) + features(known)
        self._next_described = linear("next_position")(self._described)
        self._next_described[0] = 0.0
        self._slot = embedding("slot", MOST_SLOTS)
        self._step = embedding("step", settings.most_orbits + 2)
        self._scalars = linear("scalars.0", N_SCALARS), linear("scalars.2")
        self._point = linear("point", 6 * len(WAVES))
        self._cell = linear("cell.0", 6), linear("cell.2")
        self._blocks = [_Block(weights, f"blocks.{k}", settings) for k in range(settings.layers)]
        self._norm = _Norm(weights, "norm", width)
        self._to_group = linear("to_group", made=N_SPACE_GROUPS + 1)
        self._to_position = linear("to_position")
        self._position_bias = weights.take("position_bias.weight", rows + 1, 1)[:, 0]
        self._cell_kind = embedding("cell_kind", 6 * N_SYSTEMS)
        self._cell_before, self._cell_in = linear("cell_before", 6), linear("cell_in")
        self._cell_out = linear("cell_out", made=3 * settings.components)
        self._free_kind = embedding("free_kind", 3)
        self._free_before = linear("free_before", 4 * len(WAVES))
        self._free_in, self._coarse = linear("free_in"), linear("coarse", made=COARSE)
        self._coarse_in = embedding("coarse_in", COARSE)
        self._fine_in, self._fine = linear("fine_in"), linear("fine", made=FINE)
        weights.check_empty()

    def __call__(
        self,
        batch: Batch,
        past: Cache | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> tuple[Floats, Cache]:
        """Return the descriptions of tokens after the last layer, and what later tokens need.

        Without ``past`` the tokens see those before them; with it, all of the past and themselves
        where ``mask`` (n, 1, length, all) allows.
        """
        x, kept = self._embedded(batch), []
        if past is None and mask is None:
            mask = np.tri(x.shape[1], dtype=np.bool_)
        for number, block in enumerate(self._blocks):
            x, pair = block(x, None if past is None else past[number], mask)
            kept.append(pair)
        return self._norm(x), kept

    def _embedded(self, batch: Batch) -> Floats:
        first, second = self._scalars
        x = self._kind[batch.kind] + self._element[batch.element]
        x += self._next_element[batch.next_element]
        x += self._slot[np.minimum(batch.slot, MOST_SLOTS - 1)]
        x += self._step[np.minimum(batch.step, self.settings.most_orbits + 1)]
        x += second(gelu(first(batch.scalars)))
        x += self._next_described[batch.next_position]
        known = batch.position > 0
        if known.any():
            x[known] += self._described[batch.position[known]]
            x[known] += self._point(_waves(batch.point[known]).reshape(int(known.sum()), -1))
        x += self._group[batch.group][:, None] * (batch.kind == GROUP)[..., None]
        is_cell = batch.kind == CELL
        if is_cell.any():
            rise, fall = self._cell
            x += fall(gelu(rise(batch.cell)))[:, None] * is_cell[..., None]
        return x

    def group_logits(self, x: Floats) -> Floats:
        """Return logits of the space groups, shape (n, 231), from tokens (n, width)."""
        return self._to_group(x)

    def position_logits(self, x: Floats, group: NDArray[np.int64]) -> Floats:
        """Return logits of the positions of each token's group, shape (n, 27)."""
        rows = places().start[group][:, None] + np.arange(1, MOST_POSITIONS + 1)
        rows = np.minimum(rows, len(self._described) - 1)
        scores = (self._described[rows] @ self._to_position(x)[:, :, None])[..., 0]
        scale = np.float32(self.settings.width**-0.5)
        return np.asarray(scores * scale + self._position_bias[rows], dtype=np.float32)

    def cell_mixture(
        self, x: Floats, group: NDArray[np.int64], cell: Floats, number: int
    ) -> Floats:
        """Return mixture parameters of one cell number given those before it, shape (n, 3, k).

        Logarithms of shares, means, logarithms of widths.
        """
        before = cell * (np.arange(6) < number)
        hidden = self._cell_in(x) + self._cell_before(before.astype(np.float32))
        hidden = gelu(hidden + self._cell_kind[places().system[group] * 6 + number])
        found = self._cell_out(hidden).reshape(len(x), 3, -1)
        found[:, 0] = log_softmax(found[:, 0])
        found[:, 1] += np.linspace(-2.0, 2.0, found.shape[2], dtype=np.float32)
        np.clip(found[:, 2], LEAST_LOG_SCALE, MOST_LOG_SCALE, out=found[:, 2])
        return found

    def free_hidden(self, x: Floats, free: Floats, number: int) -> Floats:
        """Return what decides a free coordinate given those before it, shape (n, width)."""
        before = _waves(free[:, :2]) * (np.arange(2) < number)[:, None]
        hidden = self._free_in(x) + self._free_before(before.reshape(len(x), -1))
        return gelu(hidden + self._free_kind[number])

    def coarse_logits(self, hidden: Floats) -> Floats:
        """Return logits of the bins of a free coordinate, shape (n, 120)."""
        return self._coarse(hidden)

    def fine_logits(self, hidden: Floats, coarse: NDArray[np.int64]) -> Floats:
        """Return logits of the offset in a bin, shape (n, 9)."""
        return self._fine(gelu(self._fine_in(hidden + self._coarse_in[coarse])))


def gelu(x: Floats) -> Floats:
    """Return the Gaussian error linear units of numbers."""
    result = np.empty_like(x)
    _gelu(np.ascontiguousarray(x).reshape(-1), result.reshape(-1))
    return result


@njit(cache=True, fastmath=True)
def _gelu(x, result):
    half, one, root = np.float32(0.5), np.float32(1.0), np.float32(0.5**0.5)
    reach, scale = np.float32(ERF_REACH), np.float32(2.0 / ERF_REACH**2)
    for k in range(x.size):
        z = min(max(x[k] * root, -reach), reach)
        t = z * z * scale - one
        total = _ERF[0]
        for j in range(1, len(_ERF)):
            total = total * t + _ERF[j]
        result[k] = half * x[k] * (one + total * z)


def log_softmax(logits: Floats) -> Floats:
    """Return logits as logarithms of shares, row by row."""
    off = logits - logits.max(-1, keepdims=True)
    return off - np.log(np.exp(off).sum(-1, keepdims=True))


def mixture_log_density(mixture: Floats, value: Floats) -> Floats:
    """Return the log density of values (n,) under mixtures (n, 3, k) of Gaussians."""
    share, mean, width = mixture.swapaxes(0, 1)
    off = (value[:, None] - mean) * np.exp(-width)
    logs = share - 0.5 * off**2 - width - 0.5 * np.log(2.0 * np.pi)
    top = logs.max(axis=1, keepdims=True)
    return top[:, 0] + np.log(np.exp(logs - top).sum(axis=1))


def _waves(points: Floats) -> Floats:
    """Return sines and cosines of periodic coordinates, one axis more."""
    angles = points[..., None] * (np.array(WAVES, dtype=np.float32) * np.float32(2.0 * np.pi))
    return np.concatenate([np.sin(angles), np.cos(angles)], -1)
