"""CHGNet compiled for one CPU core: energy and derivatives by hand, without torch.

Deng et al., Nature Machine Intelligence 5, 1031 (2023). One crystal at a time, so a result does
not depend on what else is in the batch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from nucleate.relax.chgnet.graph import build_graph
from nucleate.relax.chgnet.kernels import FAST, angular_basis, radial_basis
from nucleate.relax.chgnet.layers import (
    TWICE,
    angle_update,
    angle_update_backward,
    atom_messages,
    atom_messages_backward,
    bond_messages,
    bond_messages_backward,
)
from nucleate.relax.chgnet.parameters import WIDTH, Parameters


class Transposed(NamedTuple):
    """Transposed copies of the linear maps, for the way back."""

    bond_embedding: np.ndarray
    bond_weights: np.ndarray
    short_weights: np.ndarray
    angle_embedding: np.ndarray
    atom_first: np.ndarray
    atom_second: np.ndarray
    atom_out: np.ndarray
    bond_first: np.ndarray
    bond_second: np.ndarray
    bond_out: np.ndarray
    angle_first: np.ndarray
    readout: np.ndarray


def transposed(p: Parameters) -> Transposed:
    """Return the transposed maps of some parameters."""

    def turn(maps: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.swapaxes(maps, -1, -2))

    return Transposed(
        turn(p.bond_embedding), turn(p.bond_weights), turn(p.short_weights),
        turn(p.angle_embedding), turn(p.atom.first), turn(p.atom.second), turn(p.atom.out),
        turn(p.bond.first), turn(p.bond.second), turn(p.bond.out), turn(p.angle.first),
        turn(p.readout),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _geometry(graph):
    """Return bond lengths, and the cosine of one order of each pair of short bonds."""
    vectors = graph.vectors
    lengths = np.empty(len(vectors))
    for u in range(len(vectors)):
        lengths[u] = np.sqrt(vectors[u, 0] ** 2 + vectors[u, 1] ** 2 + vectors[u, 2] ** 2)
    cosines = np.empty(len(graph.angles) // 2)
    for t in range(cosines.size):
        a, b = graph.angles[2 * t, 1], graph.angles[2 * t, 2]
        dot = (
            vectors[a, 0] * vectors[b, 0]
            + vectors[a, 1] * vectors[b, 1]
            + vectors[a, 2] * vectors[b, 2]
        )
        cosine = graph.angle_sign[2 * t] * dot / (lengths[a] * lengths[b])
        cosines[t] = min(1.0, max(-1.0, cosine))
    return lengths, cosines


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _layer_norm(x, scale, shift):
    """Return the normalised rows, and what the way back needs: centred rows over deviation."""
    out, hat = np.empty_like(x), np.empty_like(x)
    inverse = np.empty(len(x), np.float32)
    for i in range(len(x)):
        mean = x[i].mean()
        inverse[i] = 1.0 / np.sqrt(((x[i] - mean) ** 2).mean() + 1e-5)
        hat[i] = (x[i] - mean) * inverse[i]
        out[i] = hat[i] * scale + shift
    return out, hat, inverse


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _readout(p, t, x, numbers):
    """Return the energy in eV and its derivative by the features of the atoms."""
    hat, inverse = np.empty((0, WIDTH), np.float32), np.empty(0, np.float32)
    if len(p.readout_norm):
        x, hat, inverse = _layer_norm(x, p.readout_norm[0], p.readout_norm[1])
    slopes = np.empty((len(p.readout), len(x), WIDTH), np.float32)
    for k in range(len(p.readout)):
        z = np.dot(x, p.readout[k]) + p.readout_bias[k]
        s = 1.0 / (1.0 + np.exp(-z))
        slopes[k] = s + z * s * (1.0 - s)
        x = (z * s).astype(np.float32)
    energy = 0.0
    for i in range(len(x)):
        site = 0.0
        for j in range(WIDTH):
            site += x[i, j] * p.energy[j]
        energy += site + p.energy_bias + p.atom_energy[numbers[i]]
    grad = np.empty_like(x)
    for i in range(len(x)):
        grad[i] = p.energy
    for k in range(len(p.readout) - 1, -1, -1):
        grad = np.dot(grad * slopes[k], t.readout[k])
    if len(p.readout_norm):
        for i in range(len(x)):
            g = grad[i] * p.readout_norm[0]
            grad[i] = inverse[i] * (g - g.mean() - hat[i] * (g * hat[i]).mean())
    return energy, grad


class Pass(NamedTuple):
    """What the way forwards leaves for the way back; k counts layers.

    Attributes
    ----------
    center : ndarray of int32, shape (n_edges,)
    lengths : ndarray of float64, shape (n_bonds,)
    cosines : ndarray of float64, shape (n_pairs,)
    radial_slope, narrow_slope, angular_slope : ndarray of float32
        Derivatives of the basis functions by distance, distance and cosine.
    weight, angle_weight : ndarray of float32, shapes (n_bonds, 64) and (n_short, 64)
    by_center, by_neighbour : ndarray of float32, shape (k, n_atoms, 128)
    by_bond : ndarray of float32, shape (k, n_bonds, 128)
    atom : ndarray of float32, shape (k, 2, n_edges, 64)
        Inputs of the atoms' gates.
    hidden, bond : ndarray of float32, shapes (k - 1, n_angles, 128), (k - 1, 2, n_angles, 64)
        Outputs of the bonds' first maps and inputs of their gates.
    angle : ndarray of float32, shape (k - 2, 2, n_angles, 64)
        Inputs of the angles' gates.
    """

    center: np.ndarray
    lengths: np.ndarray
    cosines: np.ndarray
    radial_slope: np.ndarray
    narrow_slope: np.ndarray
    angular_slope: np.ndarray
    weight: np.ndarray
    angle_weight: np.ndarray
    by_center: np.ndarray
    by_neighbour: np.ndarray
    by_bond: np.ndarray
    atom: np.ndarray
    hidden: np.ndarray
    bond: np.ndarray
    angle: np.ndarray


@njit(cache=True, nogil=True)
def _start(p, graph, n_atoms):
    """Return a pass with its geometry filled in, and the basis functions."""
    n_bonds, ns, n_angles = len(graph.vectors), graph.n_short, len(graph.angles)
    n_radial, n_angular = p.frequencies.size, 2 * p.angle_frequencies.size + 1
    lengths, cosines = _geometry(graph)
    radial = np.empty((n_bonds, n_radial), np.float32)
    narrow = np.empty((ns, n_radial), np.float32)
    angular = np.empty((n_angles // 2, n_angular), np.float32)
    slopes = np.empty_like(radial), np.empty_like(narrow), np.empty_like(angular)
    radial_basis(lengths, p.frequencies, p.cutoff, p.envelope, radial, slopes[0])
    radial_basis(lengths[:ns], p.short_frequencies, p.short_cutoff, p.envelope, narrow, slopes[1])
    angular_basis(cosines, p.angle_frequencies, angular, slopes[2])
    center = np.empty(2 * n_bonds, np.int32)
    for i in range(n_atoms):
        center[graph.edge_start[i] : graph.edge_start[i + 1]] = i
    n = len(p.atom.first)
    kept = Pass(
        center, lengths, cosines, slopes[0], slopes[1], slopes[2],
        np.dot(radial, p.bond_weights), np.dot(narrow, p.short_weights),
        np.empty((n, n_atoms, TWICE), np.float32), np.empty((n, n_atoms, TWICE), np.float32),
        np.empty((n, n_bonds, TWICE), np.float32),
        np.empty((n, 2, 2 * n_bonds, WIDTH), np.float32),
        np.empty((n - 1, n_angles, TWICE), np.float32),
        np.empty((n - 1, 2, n_angles, WIDTH), np.float32),
        np.empty((n - 2, 2, n_angles, WIDTH), np.float32),
    )  # fmt: skip
    return kept, radial, angular


@njit(cache=True, nogil=True)
def _forwards(p, graph, numbers, kept, radial, angular):
    """Fill in a pass; return the features of the atoms at the end."""
    ns, n_angles = graph.n_short, len(graph.angles)
    x = np.empty((numbers.size, WIDTH), np.float32)
    for i in range(numbers.size):
        x[i] = p.atom_embedding[numbers[i]]
    e = np.dot(radial, p.bond_embedding)
    a, step = np.dot(angular, p.angle_embedding), 2
    for k in range(len(p.atom.first)):
        kept.by_center[k] = np.dot(x, p.atom.first[k, 0]) + p.atom.first_bias[k]
        np.dot(x, p.atom.first[k, 2], kept.by_neighbour[k])
        np.dot(e, p.atom.first[k, 1], kept.by_bond[k])
        summed = np.zeros_like(x)
        atom_messages(
            kept.center, graph.edge_to, graph.edge_bond, kept.by_center[k], kept.by_neighbour[k],
            kept.by_bond[k], p.atom.second[k], p.atom.second_bias[k], p.atom.norm[k],
            kept.weight, kept.atom[k], summed,
        )  # fmt: skip
        x = x + np.dot(summed, p.atom.out[k]) + p.atom.out_bias[k]
        if n_angles == 0 or k >= len(p.bond.first):
            continue
        first = p.bond.first[k]
        by_center = np.dot(x, first[3]) + p.bond.first_bias[k]
        summed = np.zeros((ns, WIDTH), np.float32)
        bond_messages(
            graph.angles, by_center, np.dot(e[:ns], first[0]), np.dot(e[:ns], first[1]), a, step,
            first[2], p.bond.second[k], p.bond.second_bias[k], p.bond.norm[k],
            kept.angle_weight, kept.hidden[k], kept.bond[k], summed,
        )  # fmt: skip
        e[:ns] += np.dot(summed, p.bond.out[k])
        e += p.bond.out_bias[k]
        if k >= len(p.angle.first):
            continue
        first = p.angle.first[k]
        by_center = np.dot(x, first[3]) + p.angle.first_bias[k]
        new = np.empty((n_angles, WIDTH), np.float32)
        angle_update(
            graph.angles, by_center, np.dot(e[:ns], first[0]), np.dot(e[:ns], first[1]), a, step,
            first[2], p.angle.norm[k], kept.angle[k], new,
        )  # fmt: skip
        for r in range(n_angles):
            new[r] += a[r // step]
        a, step = new, 1
    return x


@njit(cache=True, nogil=True)
def _backwards(p, t, graph, kept, gx):
    """Return derivatives by bond lengths and cosines from that by the atoms' features."""
    n_bonds, ns, n_angles = len(graph.vectors), graph.n_short, len(graph.angles)
    ge = np.zeros((n_bonds, WIDTH), np.float32)
    ga = np.zeros((n_angles, WIDTH), np.float32)
    g_weight = np.zeros((n_bonds, WIDTH), np.float32)
    g_angle_weight = np.zeros((ns, WIDTH), np.float32)
    for k in range(len(p.atom.first) - 1, -1, -1):
        step = 2 if k == 0 else 1
        if n_angles > 0 and k < len(p.angle.first):
            below = ga
            if step == 2:
                below = ga[::2] + ga[1::2]
            g_center, g_first, g_second = _zeros(len(gx), ns)
            angle_update_backward(
                graph.angles, p.angle.norm[k], kept.angle[k], ga.copy(), step, t.angle_first[k, 2],
                g_center, g_first, g_second, below,
            )  # fmt: skip
            ga = below
            gx += np.dot(g_center, t.angle_first[k, 3])
            ge[:ns] += np.dot(g_first, t.angle_first[k, 0]) + np.dot(g_second, t.angle_first[k, 1])
        if n_angles > 0 and k < len(p.bond.first):
            g_center, g_first, g_second = _zeros(len(gx), ns)
            bond_messages_backward(
                graph.angles, t.bond_second[k], p.bond.norm[k], kept.angle_weight, kept.hidden[k],
                kept.bond[k], np.dot(ge[:ns], t.bond_out[k]), step, t.bond_first[k, 2],
                g_angle_weight, g_center, g_first, g_second, ga,
            )  # fmt: skip
            gx += np.dot(g_center, t.bond_first[k, 3])
            ge[:ns] += np.dot(g_first, t.bond_first[k, 0]) + np.dot(g_second, t.bond_first[k, 1])
        g_center, g_neighbour = np.zeros((2, len(gx), TWICE), np.float32)
        g_bond = np.zeros((n_bonds, TWICE), np.float32)
        atom_messages_backward(
            kept.center, graph.edge_to, graph.edge_bond, kept.by_center[k], kept.by_neighbour[k],
            kept.by_bond[k], t.atom_second[k], p.atom.norm[k], kept.weight, kept.atom[k],
            np.dot(gx, t.atom_out[k]), g_weight, g_center, g_neighbour, g_bond,
        )  # fmt: skip
        ge += np.dot(g_bond, t.atom_first[k, 1])
        if k > 0:
            gx += np.dot(g_center, t.atom_first[k, 0]) + np.dot(g_neighbour, t.atom_first[k, 2])
    by_radial = np.dot(ge, t.bond_embedding) + np.dot(g_weight, t.bond_weights)
    by_length = (by_radial * kept.radial_slope).sum(axis=1).astype(np.float64)
    by_narrow = np.dot(g_angle_weight, t.short_weights)
    by_length[:ns] += (by_narrow * kept.narrow_slope).sum(axis=1)
    by_cosine = (np.dot(ga[: n_angles // 2], t.angle_embedding) * kept.angular_slope).sum(axis=1)
    return by_length, by_cosine


@njit(cache=True, nogil=True)
def _zeros(n_atoms, n_short):
    center = np.zeros((n_atoms, TWICE), np.float32)
    first = np.zeros((n_short, TWICE), np.float32)
    return center, first, np.zeros((n_short, TWICE), np.float32)


@njit(cache=True, nogil=True)
def _by_vectors(graph, kept, by_length, by_cosine):
    """Return the derivative by the bond vectors from those by bond lengths and cosines."""
    vectors, lengths = graph.vectors, kept.lengths
    out = np.empty_like(vectors)
    for u in range(len(vectors)):
        for k in range(3):
            out[u, k] = by_length[u] * vectors[u, k] / lengths[u]
    for r in range(by_cosine.size):
        a, b = graph.angles[2 * r, 1], graph.angles[2 * r, 2]
        both = graph.angle_sign[2 * r] / (lengths[a] * lengths[b])
        cosine, g = kept.cosines[r], np.float64(by_cosine[r])
        for k in range(3):
            out[a, k] += g * (both * vectors[b, k] - cosine * vectors[a, k] / lengths[a] ** 2)
            out[b, k] += g * (both * vectors[a, k] - cosine * vectors[b, k] / lengths[b] ** 2)
    return out


@njit(cache=True, nogil=True)
def evaluate_crystal(p, t, numbers, positions, cell, forces, virial):
    """Return the energy of one crystal in eV; write its forces and its virial.

    Parameters
    ----------
    p, t
        :class:`Parameters` and :class:`Transposed`.
    numbers : ndarray of int64, shape (n_atoms,)
        Atomic numbers.
    positions : ndarray of float64, shape (n_atoms, 3)
        Å.
    cell : ndarray of float64, shape (3, 3)
        Rows are the lattice vectors in Å.
    forces : ndarray of float64, shape (n_atoms, 3)
        Receives eV/Å.
    virial : ndarray of float64, shape (3, 3)
        Receives the derivative of the energy by strain, in eV.
    """
    start = np.array([0, numbers.size])
    graph = build_graph(cell.reshape(1, 3, 3), positions, start, p.cutoff, p.short_cutoff)
    kept, radial, angular = _start(p, graph, numbers.size)
    x = _forwards(p, graph, numbers, kept, radial, angular)
    energy, gx = _readout(p, t, x, numbers)
    by_length, by_cosine = _backwards(p, t, graph, kept, gx)
    gradient = _by_vectors(graph, kept, by_length, by_cosine)
    forces[:] = 0.0
    virial[:] = 0.0
    for u in range(len(gradient)):
        for k in range(3):
            forces[graph.bond_ends[u, 0], k] += gradient[u, k]
            forces[graph.bond_ends[u, 1], k] -= gradient[u, k]
            for m in range(3):
                virial[k, m] += 0.5 * (
                    graph.vectors[u, k] * gradient[u, m] + graph.vectors[u, m] * gradient[u, k]
                )
    return energy
