"""The message sum of :class:`HarmonicNetwork`, fused for the CPU.

For atom i, channel c and harmonic m the sum is

    M[i, m, c] = sum over k of A[i, m, k] silu(own[i, c] + sent[j(i, k), c] + radial[i, k, c])

Written with torch operations it streams several arrays as long as edges x channels through
memory; here each edge stays in cache, and the backward pass recomputes instead of storing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_LIMIT = np.float32(7.9)
# Rational minimax approximation of tanh on [-9, 9] in single precision, as in Eigen.
_A1 = np.float32(4.89352455891786e-03)
_A3 = np.float32(6.37261928875436e-04)
_A5 = np.float32(1.48572235717979e-05)
_A7 = np.float32(5.12229709037114e-08)
_A9 = np.float32(-8.60467152213735e-11)
_A11 = np.float32(2.00018790482477e-13)
_A13 = np.float32(-2.76076847742355e-16)
_B0 = np.float32(4.89352518554385e-03)
_B2 = np.float32(2.26843463243900e-03)
_B4 = np.float32(1.18534705686654e-04)
_B6 = np.float32(1.19825839466702e-06)


@njit(inline="always", fastmath=True)
def _sigmoid(x: np.float32) -> np.float32:
    y = min(max(_HALF * x, -_LIMIT), _LIMIT)
    s = y * y
    top = _A11 + s * _A13
    top = _A9 + s * top
    top = _A7 + s * top
    top = _A5 + s * top
    top = _A3 + s * top
    top = y * (_A1 + s * top)
    below = _B0 + s * (_B2 + s * (_B4 + s * _B6))
    return _HALF + _HALF * top / below


@njit(cache=True, fastmath=True, error_model="numpy")
def _forward(
    own: NDArray[np.float32],
    sent: NDArray[np.float32],
    radial: NDArray[np.float32],
    near: NDArray[np.int64],
    angular: NDArray[np.float32],
    moments: NDArray[np.float32],
) -> None:
    n_atoms, n_harmonics, n_near = angular.shape
    channels = own.shape[1]
    message = np.empty(channels, np.float32)
    for i in range(n_atoms):
        moments[i] = np.float32(0.0)
        for k in range(n_near):
            if angular[i, 0, k] == np.float32(0.0):
                continue
            j = near[i, k]
            for c in range(channels):
                x = own[i, c] + sent[j, c] + radial[i, k, c]
                message[c] = x * _sigmoid(x)
            for m in range(n_harmonics):
                factor = angular[i, m, k]
                for c in range(channels):
                    moments[i, m, c] += factor * message[c]


@njit(cache=True, fastmath=True, error_model="numpy")
def _backward(
    own: NDArray[np.float32],
    sent: NDArray[np.float32],
    radial: NDArray[np.float32],
    near: NDArray[np.int64],
    angular: NDArray[np.float32],
    upstream: NDArray[np.float32],
    d_own: NDArray[np.float32],
    d_sent: NDArray[np.float32],
    d_radial: NDArray[np.float32],
    d_angular: NDArray[np.float32],
) -> None:
    n_atoms, n_harmonics, n_near = angular.shape
    channels = own.shape[1]
    wants_angular = d_angular.size > 0
    message = np.empty(channels, np.float32)
    slope = np.empty(channels, np.float32)
    pull = np.empty(channels, np.float32)
    for i in range(n_atoms):
        for k in range(n_near):
            if angular[i, 0, k] == np.float32(0.0):
                d_radial[i, k] = np.float32(0.0)
                continue
            j = near[i, k]
            for c in range(channels):
                x = own[i, c] + sent[j, c] + radial[i, k, c]
                s = _sigmoid(x)
                message[c] = x * s
                slope[c] = s * (_ONE + x * (_ONE - s))
                pull[c] = np.float32(0.0)
            for m in range(n_harmonics):
                factor = angular[i, m, k]
                for c in range(channels):
                    pull[c] += factor * upstream[i, m, c]
            for c in range(channels):
                g = pull[c] * slope[c]
                d_radial[i, k, c] = g
                d_own[i, c] += g
                d_sent[j, c] += g
            if wants_angular:
                for m in range(n_harmonics):
                    total = np.float32(0.0)
                    for c in range(channels):
                        total += upstream[i, m, c] * message[c]
                    d_angular[i, m, k] = total


class FusedMessages(torch.autograd.Function):
    """Differentiable once, single precision, CPU."""

    @staticmethod
    def forward(
        ctx: Any, own: Tensor, sent: Tensor, radial: Tensor, near: Tensor, angular: Tensor
    ) -> Tensor:
        """Return the moments, shape (n, harmonics, channels)."""
        inputs = [x.detach().contiguous() for x in (own, sent, radial, near, angular)]
        ctx.save_for_backward(*inputs)
        moments = own.new_empty((near.shape[0], angular.shape[1], own.shape[1]))
        _forward(*(x.numpy() for x in inputs), moments.numpy())  # pyright: ignore[reportCallIssue]
        return moments

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Return the gradients of own, sent, radial and angular."""
        own, sent, radial, near, angular = ctx.saved_tensors
        d_own, d_sent = torch.zeros_like(own), torch.zeros_like(sent)
        d_radial = torch.empty_like(radial)
        d_angular = (
            torch.zeros_like(angular) if ctx.needs_input_grad[4] else own.new_empty((0, 0, 0))
        )
        arrays = (own, sent, radial, near, angular, upstream.contiguous())
        outputs = (d_own, d_sent, d_radial, d_angular)
        _backward(*(x.numpy() for x in arrays), *(x.numpy() for x in outputs))
        return d_own, d_sent, d_radial, None, d_angular if ctx.needs_input_grad[4] else None
