"""Compiled pieces of CHGNet: activations, gates and basis functions, forwards and backwards.

Loops run over rows of 64 features and are written so that LLVM turns them into vector code; the
exponential is a polynomial because a call would prevent that.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from nucleate.networks.chgnet.parameters import WIDTH

FAST = {"contract", "nsz", "arcp", "reassoc", "nnan", "ninf"}
_ONE = np.float32(1.0)
_EPSILON = np.float32(1e-5)
_MEAN = np.float32(1.0 / WIDTH)
_LIMIT = np.float32(40.0)  # products of two exponentials stay finite
_LOG2_E = np.float32(1.44269504)
_LN2_HIGH = np.float32(0.693359375)
_LN2_LOW = np.float32(-2.12194440e-4)
_HALF = np.float32(0.5)
_E2, _E3, _E4, _E5, _E6 = (np.float32(1.0 / math.factorial(k)) for k in range(2, 7))
_ANGLE_SCALE = 1.0 - 1e-6  # as the package: keeps acos away from its poles


@intrinsic
def _power_of_two(typingctx, exponent):  # noqa: ARG001 - numba passes the context
    """Return 2**exponent for a float32 that holds an integer."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        integer = ir.IntType(32)
        bits = builder.add(builder.fptosi(arguments[0], integer), ir.Constant(integer, 127))
        return builder.bitcast(builder.shl(bits, ir.Constant(integer, 23)), ir.FloatType())

    return types.float32(types.float32), generate


@njit(inline="always", fastmath=FAST, error_model="numpy")
def _exp(x):
    x = min(max(x, -_LIMIT), _LIMIT)
    k = np.floor(x * _LOG2_E + _HALF)
    r = x - k * _LN2_HIGH - k * _LN2_LOW
    p = _ONE + r * (_ONE + r * (_E2 + r * (_E3 + r * (_E4 + r * (_E5 + r * _E6)))))
    return p * _power_of_two(k)


@njit(inline="always", fastmath=FAST, error_model="numpy")
def _sigmoid(x):
    return _ONE / (_ONE + _exp(-x))


@njit(inline="always", fastmath=FAST, error_model="numpy")
def _sigmoids(x, y):
    a, b = _ONE + _exp(-x), _ONE + _exp(-y)
    inverse = _ONE / (a * b)
    return b * inverse, a * inverse


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def silu_halves(hidden, out):
    """Write SiLU of ``hidden`` (m, 128) to ``out`` (2, m, 64)."""
    core, gate = out[0], out[1]
    for i in range(hidden.shape[0]):
        for j in range(WIDTH):
            h = hidden[i, j]
            core[i, j] = h * _sigmoid(h)
        for j in range(WIDTH):
            h = hidden[i, j + WIDTH]
            gate[i, j] = h * _sigmoid(h)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def silu_halves_backward(hidden, grad, out):
    """Write to ``out`` (m, 128) the gradient by ``hidden`` from that by its SiLU (2, m, 64)."""
    core, gate = grad[0], grad[1]
    for i in range(hidden.shape[0]):
        for j in range(WIDTH):
            h = hidden[i, j]
            s = _sigmoid(h)
            out[i, j] = core[i, j] * (s + h * s * (_ONE - s))
        for j in range(WIDTH):
            h = hidden[i, j + WIDTH]
            s = _sigmoid(h)
            out[i, j + WIDTH] = gate[i, j] * (s + h * s * (_ONE - s))


@njit(inline="always", fastmath=FAST, error_model="numpy")
def _moments(core, gate):
    """Return mean and inverse standard deviation of two rows of 64.

    Both in the same loops: a sum is a chain of dependent additions, two of them overlap.
    """
    total_c, total_g = np.float32(0.0), np.float32(0.0)
    for j in range(WIDTH):
        total_c += core[j]
        total_g += gate[j]
    mean_c, mean_g = total_c * _MEAN, total_g * _MEAN
    square_c, square_g = np.float32(0.0), np.float32(0.0)
    for j in range(WIDTH):
        square_c += (core[j] - mean_c) * (core[j] - mean_c)
        square_g += (gate[j] - mean_g) * (gate[j] - mean_g)
    inverse_c = _ONE / np.sqrt(square_c * _MEAN + _EPSILON)
    return mean_c, inverse_c, mean_g, _ONE / np.sqrt(square_g * _MEAN + _EPSILON)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def gate_forward(cores, gates, norm, out):
    """Write SiLU(norm(core)) x sigmoid(norm(gate)) to ``out`` (m, 64).

    Parameters
    ----------
    cores, gates : ndarray of float32, shape (m, 64)
    norm : ndarray of float32, shape (4, 64) or (0, 64)
        Scales and shifts; none where the network has no layer norm.
    """
    for i in range(cores.shape[0]):
        core, gate, row = cores[i], gates[i], out[i]
        if norm.shape[0] > 0:
            mean_c, inverse_c, mean_g, inverse_g = _moments(core, gate)
            for j in range(WIDTH):
                c = (core[j] - mean_c) * inverse_c * norm[0, j] + norm[1, j]
                g = (gate[j] - mean_g) * inverse_g * norm[2, j] + norm[3, j]
                row[j] = c / ((_ONE + _exp(-c)) * (_ONE + _exp(-g)))
        else:
            for j in range(WIDTH):
                c, g = core[j], gate[j]
                row[j] = c / ((_ONE + _exp(-c)) * (_ONE + _exp(-g)))


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def gate_backward(cores, gates, norm, grad, out, grad_cores, grad_gates):
    """Write the gate's value to ``out`` and its derivatives, from the gradient by the value.

    All arrays have the shape (m, 64); see :func:`gate_forward`.
    """
    for i in range(cores.shape[0]):
        core, gate, row, upper = cores[i], gates[i], out[i], grad[i]
        to_core, to_gate = grad_cores[i], grad_gates[i]
        if norm.shape[0] == 0:
            for j in range(WIDTH):
                c = core[j]
                s, t = _sigmoids(c, gate[j])
                row[j] = c * s * t
                to_core[j] = upper[j] * t * (s + c * s * (_ONE - s))
                to_gate[j] = upper[j] * c * s * t * (_ONE - t)
            continue
        mean_c, inverse_c, mean_g, inverse_g = _moments(core, gate)
        for j in range(WIDTH):
            c = (core[j] - mean_c) * inverse_c * norm[0, j] + norm[1, j]
            g = (gate[j] - mean_g) * inverse_g * norm[2, j] + norm[3, j]
            s, t = _sigmoids(c, g)
            row[j] = c * s * t
            to_core[j] = upper[j] * t * (s + c * s * (_ONE - s)) * norm[0, j]
            to_gate[j] = upper[j] * c * s * t * (_ONE - t) * norm[2, j]
        total_c, along_c = np.float32(0.0), np.float32(0.0)
        total_g, along_g = np.float32(0.0), np.float32(0.0)
        for j in range(WIDTH):
            total_c += to_core[j]
            along_c += to_core[j] * (core[j] - mean_c)
            total_g += to_gate[j]
            along_g += to_gate[j] * (gate[j] - mean_g)
        total_c, along_c = total_c * _MEAN, along_c * _MEAN * inverse_c * inverse_c
        total_g, along_g = total_g * _MEAN, along_g * _MEAN * inverse_g * inverse_g
        for j in range(WIDTH):
            to_core[j] = inverse_c * (to_core[j] - total_c - (core[j] - mean_c) * along_c)
            to_gate[j] = inverse_g * (to_gate[j] - total_g - (gate[j] - mean_g) * along_g)


@njit(inline="always", fastmath=FAST, error_model="numpy")
def _sine_cosine(x):
    """Return sine and cosine by half-angle polynomials on one turn (error 1e-8)."""
    turns = x * (1.0 / (2.0 * math.pi))
    y = math.pi * (turns - np.floor(turns + 0.5))
    z = y * y
    s = -1.0 / 39916800.0 + z * (1.0 / 6227020800.0)
    s = y * (
        1.0 + z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 + z * s))))
    )
    c = 1.0 / 3628800.0 + z * (-1.0 / 479001600.0 + z * (1.0 / 87178291200.0))
    c = 1.0 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 - z * c))))
    return 2.0 * s * c, 1.0 - 2.0 * s * s


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def radial_basis(distances, frequencies, cutoff, exponent, basis, slope):
    """Write the enveloped Bessel functions and their derivatives, shape (n_bonds, n_radial).

    The envelope is the polynomial of GemNet; it is zero from the cut-off on.
    """
    scale = math.sqrt(2.0 / cutoff)
    p = exponent
    a, b, c = -(p + 1) * (p + 2) / 2.0, p * (p + 2.0), -p * (p + 1) / 2.0
    for i in range(distances.size):
        d = distances[i]
        x = d / cutoff
        envelope = envelope_slope = 0.0
        if x < 1.0:
            power = x ** (p - 1)
            envelope = 1.0 + power * x * (a + x * (b + x * c))
            envelope_slope = power * (p * a + x * ((p + 1) * b + x * (p + 2) * c)) / cutoff
        front = scale * envelope / d
        front_slope = scale * (envelope_slope / d - envelope / (d * d))
        row, row_slope = basis[i], slope[i]
        for k in range(frequencies.size):
            s, t = _sine_cosine(frequencies[k] * x)
            row[k] = front * s
            row_slope[k] = front_slope * s + front * t * (frequencies[k] / cutoff)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def angular_basis(cosines, frequencies, basis, slope):
    """Write the Fourier functions of angles and their derivatives by the cosine.

    Shapes (n_pairs,) and (n_pairs, 2 n + 1).
    """
    n = frequencies.size
    front = 1.0 / math.sqrt(math.pi)
    for i in range(cosines.size):
        cosine = cosines[i] * _ANGLE_SCALE
        angle = math.acos(cosine)
        by_cosine = -_ANGLE_SCALE / math.sqrt(1.0 - cosine * cosine)
        row, row_slope = basis[i], slope[i]
        row[0], row_slope[0] = front * math.sqrt(0.5), 0.0
        for k in range(n):
            s, t = _sine_cosine(frequencies[k] * angle)
            row[1 + k] = front * s
            row[1 + n + k] = front * t
            row_slope[1 + k] = front * by_cosine * frequencies[k] * t
            row_slope[1 + n + k] = -front * by_cosine * frequencies[k] * s
