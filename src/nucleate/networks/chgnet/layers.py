"""Compiled layers of CHGNet: gated messages over edges and angles, forwards and backwards.

Rows are worked on in chunks that stay in the processor's cache. Only the inputs of the gates are
kept for the way back; everything else is gathered again.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from nucleate.networks.chgnet.kernels import (
    FAST,
    gate_backward,
    gate_forward,
    silu_halves,
    silu_halves_backward,
)
from nucleate.networks.chgnet.parameters import WIDTH

CHUNK = 256
TWICE = 2 * WIDTH


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _gather_edges(lo, hi, ends, by_center, by_neighbour, by_bond, out):
    for u in range(lo, hi):
        for side in range(2):
            a, b = by_center[ends[u, side]], by_neighbour[ends[u, 1 - side]]
            c, row = by_bond[u], out[2 * (u - lo) + side]
            for j in range(TWICE):
                row[j] = a[j] + b[j] + c[j]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _gather_angles(lo, hi, angles, by_center, by_first, by_second, by_angle, step, out):
    """Sum what centre, both bonds and the angle (row ``r // step`` of its array) give."""
    for r in range(lo, hi):
        a, b, c = by_center[angles[r, 0]], by_first[angles[r, 1]], by_second[angles[r, 2]]
        d, row = by_angle[r // step - lo // step], out[r - lo]
        for j in range(TWICE):
            row[j] = a[j] + b[j] + c[j] + d[j]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _add_to_row(target, source):
    for j in range(source.size):
        target[j] += source[j]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _second_maps(hidden, weights, biases, active, cores, gates):
    """Write the second linear maps of core and gate; ``active`` is working space."""
    m = len(hidden)
    silu_halves(hidden, active)
    np.dot(active[0, :m], weights[0], cores)
    np.dot(active[1, :m], weights[1], gates)
    for i in range(m):
        _add_to_row(cores[i], biases[0])
        _add_to_row(gates[i], biases[1])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _second_maps_backward(hidden, weights_t, grad_cores, grad_gates, active, grad_hidden):
    m = len(hidden)
    np.dot(grad_cores, weights_t[0], active[0, :m])
    np.dot(grad_gates, weights_t[1], active[1, :m])
    silu_halves_backward(hidden, active, grad_hidden)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def atom_messages(
    ends, by_center, by_neighbour, by_bond, second, second_bias, norm, weight, kept, out
):
    """Add to ``out`` (n_atoms, 64) the weighted messages along both directions of all bonds.

    Parameters
    ----------
    ends : ndarray of int32, shape (n_bonds, 2)
        Atoms at the ends of each bond; row 2 u + s of an array over edges is the direction of
        bond u that leaves its end s.
    by_center, by_neighbour, by_bond : ndarray of float32, shape (n, 128)
        First linear map of each feature.
    second, second_bias, norm
        Of the layer; see :class:`~nucleate.networks.chgnet.parameters.GatedLayers`.
    weight : ndarray of float32, shape (n_bonds, 64)
    kept : ndarray of float32, shape (2, 2 n_bonds, 64)
        Receives the inputs of the gates.
    """
    hidden = np.empty((CHUNK, TWICE), np.float32)
    value = np.empty((CHUNK, WIDTH), np.float32)
    active = np.empty((2, CHUNK, WIDTH), np.float32)
    for lo in range(0, len(ends), CHUNK // 2):
        hi = min(lo + CHUNK // 2, len(ends))
        m = 2 * (hi - lo)
        _gather_edges(lo, hi, ends, by_center, by_neighbour, by_bond, hidden)
        cores, gates = kept[0, 2 * lo : 2 * hi], kept[1, 2 * lo : 2 * hi]
        _second_maps(hidden[:m], second, second_bias, active, cores, gates)
        gate_forward(cores, gates, norm, value)
        for r in range(m):
            u = lo + r // 2
            row, factor, target = value[r], weight[u], out[ends[u, r % 2]]
            for j in range(WIDTH):
                target[j] += row[j] * factor[j]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def atom_messages_backward(
    ends, by_center, by_neighbour, by_bond, second_t, norm, weight, kept, grad,
    grad_weight, grad_center, grad_neighbour, grad_bond,
):  # fmt: skip
    """Add the derivatives of the sum of ``grad`` x messages to the last four arrays.

    ``second_t`` holds the transposed second maps; the other arguments are those of
    :func:`atom_messages`.
    """
    # written apart from what is read: in place, the compiler falls back to scalar code
    hidden, by_hidden = np.empty((CHUNK, TWICE), np.float32), np.empty((CHUNK, TWICE), np.float32)
    upper, value = np.empty((CHUNK, WIDTH), np.float32), np.empty((CHUNK, WIDTH), np.float32)
    active, inputs = (
        np.empty((2, CHUNK, WIDTH), np.float32),
        np.empty((2, CHUNK, WIDTH), np.float32),
    )
    for lo in range(0, len(ends), CHUNK // 2):
        hi = min(lo + CHUNK // 2, len(ends))
        m = 2 * (hi - lo)
        for r in range(m):
            u = lo + r // 2
            row, factor, source = upper[r], weight[u], grad[ends[u, r % 2]]
            for j in range(WIDTH):
                row[j] = source[j] * factor[j]
        gate_backward(
            kept[0, 2 * lo : 2 * hi], kept[1, 2 * lo : 2 * hi], norm, upper, value,
            inputs[0], inputs[1],
        )  # fmt: skip
        for r in range(m):
            u = lo + r // 2
            row, source, target = value[r], grad[ends[u, r % 2]], grad_weight[u]
            for j in range(WIDTH):
                target[j] += row[j] * source[j]
        _gather_edges(lo, hi, ends, by_center, by_neighbour, by_bond, hidden)
        _second_maps_backward(hidden[:m], second_t, inputs[0, :m], inputs[1, :m], active, by_hidden)
        for r in range(m):
            u = lo + r // 2
            _add_to_row(grad_center[ends[u, r % 2]], by_hidden[r])
            _add_to_row(grad_neighbour[ends[u, 1 - r % 2]], by_hidden[r])
            _add_to_row(grad_bond[u], by_hidden[r])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def bond_messages(
    angles, by_center, by_first, by_second, features, step, first, second, second_bias, norm,
    weight, kept_hidden, kept, out,
):  # fmt: skip
    """Add to ``out`` (n_short, 64) the weighted messages of all angles to their first bonds.

    Parameters
    ----------
    angles : ndarray of int32, shape (n_angles, 3)
    by_center, by_first, by_second : ndarray of float32, shape (n, 128)
        First linear map of each feature.
    features : ndarray of float32, shape (n_angles // step, k)
        Of the angles; both orders of a pair share a row where ``step`` is 2.
    first : ndarray of float32, shape (k, 128)
        First linear map of the angles' features.
    second, second_bias, norm
        Of the layer.
    weight : ndarray of float32, shape (n_short, 64)
        A message has the weights of both of its bonds.
    kept_hidden : ndarray of float32, shape (n_angles, 128)
    kept : ndarray of float32, shape (2, n_angles, 64)
        Receive the outputs of the first maps and the inputs of the gates.
    """
    value = np.empty((CHUNK, WIDTH), np.float32)
    active = np.empty((2, CHUNK, WIDTH), np.float32)
    for lo in range(0, len(angles), CHUNK):
        hi = min(lo + CHUNK, len(angles))
        m = hi - lo
        hidden = kept_hidden[lo:hi]
        by_angle = np.dot(features[lo // step : hi // step], first)
        _gather_angles(lo, hi, angles, by_center, by_first, by_second, by_angle, step, hidden)
        cores, gates = kept[0, lo:hi], kept[1, lo:hi]
        _second_maps(hidden, second, second_bias, active, cores, gates)
        gate_forward(cores, gates, norm, value)
        for r in range(m):
            row, target = value[r], out[angles[lo + r, 1]]
            one, other = weight[angles[lo + r, 1]], weight[angles[lo + r, 2]]
            for j in range(WIDTH):
                target[j] += row[j] * one[j] * other[j]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def bond_messages_backward(
    angles, second_t, norm, weight, hidden, kept, grad, step, first_t, grad_weight, grad_center,
    grad_first, grad_second, grad_features,
):  # fmt: skip
    """Add the derivatives of the sum of ``grad`` x messages to the last five arrays."""
    upper, value = np.empty((CHUNK, WIDTH), np.float32), np.empty((CHUNK, WIDTH), np.float32)
    for lo in range(0, len(angles), CHUNK):
        hi = min(lo + CHUNK, len(angles))
        m = hi - lo
        active = np.empty((2, m, WIDTH), np.float32)
        inputs = np.empty((2, m, WIDTH), np.float32)
        by_hidden = np.empty((m, TWICE), np.float32)
        for r in range(m):
            row, source = upper[r], grad[angles[lo + r, 1]]
            one, other = weight[angles[lo + r, 1]], weight[angles[lo + r, 2]]
            for j in range(WIDTH):
                row[j] = source[j] * one[j] * other[j]
        gate_backward(kept[0, lo:hi], kept[1, lo:hi], norm, upper, value, inputs[0], inputs[1])
        for r in range(m):
            u, v = angles[lo + r, 1], angles[lo + r, 2]
            row, source, one, other = value[r], grad[u], weight[u], weight[v]
            for j in range(WIDTH):
                upper[r, j] = row[j] * source[j]
                grad_weight[u, j] += upper[r, j] * other[j]
            for j in range(WIDTH):
                grad_weight[v, j] += upper[r, j] * one[j]
        _second_maps_backward(hidden[lo:hi], second_t, inputs[0], inputs[1], active, by_hidden)
        _spread(
            angles,
            lo,
            by_hidden,
            step,
            first_t,
            grad_center,
            grad_first,
            grad_second,
            grad_features,
        )


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _spread(
    angles, lo, by_hidden, step, first_t, grad_center, grad_first, grad_second, grad_features
):
    """Add the gradient by the first map's output to those by everything that went into it."""
    m = len(by_hidden)
    for r in range(m):
        _add_to_row(grad_center[angles[lo + r, 0]], by_hidden[r])
        _add_to_row(grad_first[angles[lo + r, 1]], by_hidden[r])
        _add_to_row(grad_second[angles[lo + r, 2]], by_hidden[r])
    if step == 2:
        for r in range(0, m, 2):
            for j in range(TWICE):
                by_hidden[r // 2, j] = by_hidden[r, j] + by_hidden[r + 1, j]
    added = np.dot(by_hidden[: m // step], first_t)
    for r in range(m // step):
        _add_to_row(grad_features[lo // step + r], added[r])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def angle_update(angles, by_center, by_first, by_second, features, step, first, norm, kept, out):
    """Write to ``out`` (n_angles, 64) the gates' values; see :func:`bond_messages`."""
    hidden = np.empty((CHUNK, TWICE), np.float32)
    for lo in range(0, len(angles), CHUNK):
        hi = min(lo + CHUNK, len(angles))
        by_angle = np.dot(features[lo // step : hi // step], first)
        _gather_angles(lo, hi, angles, by_center, by_first, by_second, by_angle, step, hidden)
        kept[0, lo:hi] = hidden[: hi - lo, :WIDTH]
        kept[1, lo:hi] = hidden[: hi - lo, WIDTH:]
        gate_forward(kept[0, lo:hi], kept[1, lo:hi], norm, out[lo:hi])


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def angle_update_backward(
    angles, norm, kept, grad, step, first_t, grad_center, grad_first, grad_second, grad_features
):
    """Add the derivatives of the sum of ``grad`` x gates' values to the last four arrays."""
    value = np.empty((CHUNK, WIDTH), np.float32)
    for lo in range(0, len(angles), CHUNK):
        hi = min(lo + CHUNK, len(angles))
        m = hi - lo
        inputs = np.empty((2, m, WIDTH), np.float32)
        by_hidden = np.empty((m, TWICE), np.float32)
        gate_backward(
            kept[0, lo:hi], kept[1, lo:hi], norm, grad[lo:hi], value, inputs[0], inputs[1]
        )
        by_hidden[:, :WIDTH] = inputs[0]
        by_hidden[:, WIDTH:] = inputs[1]
        _spread(
            angles,
            lo,
            by_hidden,
            step,
            first_t,
            grad_center,
            grad_first,
            grad_second,
            grad_features,
        )
