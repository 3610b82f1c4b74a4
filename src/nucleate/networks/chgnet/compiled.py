"""CHGNet on one CPU core: energy and derivatives by hand, without torch.

Deng et al., Nature Machine Intelligence 5, 1031 (2023). One crystal at a time, so a result does
not depend on what else is in the batch. The loops over bonds and angles are compiled; what is
left here is a hundred calls per evaluation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.linalg.cython_blas  # noqa: F401  loads the BLAS that compiled code uses
from numba import njit
from scipy.special import expit

from nucleate.networks.chgnet.graph import Graph, build_graph
from nucleate.networks.chgnet.kernels import angular_basis, radial_basis
from nucleate.networks.chgnet.layers import (
    TWICE,
    angle_update,
    angle_update_backward,
    atom_messages,
    atom_messages_backward,
    bond_messages,
    bond_messages_backward,
)
from nucleate.networks.chgnet.parameters import WIDTH, Parameters
from nucleate.threads import one_blas_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]


class Transposed(NamedTuple):
    """Transposed copies of the linear maps, for the way back."""

    bond_embedding: Floats
    bond_weights: Floats
    short_weights: Floats
    angle_embedding: Floats
    atom_first: Floats
    atom_second: Floats
    atom_out: Floats
    bond_first: Floats
    bond_second: Floats
    bond_out: Floats
    angle_first: Floats
    readout: Floats


def transposed(p: Parameters) -> Transposed:
    """Return the transposed maps of some parameters."""

    def turn(maps: Floats) -> Floats:
        return np.ascontiguousarray(np.swapaxes(maps, -1, -2))

    return Transposed(
        turn(p.bond_embedding), turn(p.bond_weights), turn(p.short_weights),
        turn(p.angle_embedding), turn(p.atom.first), turn(p.atom.second), turn(p.atom.out),
        turn(p.bond.first), turn(p.bond.second), turn(p.bond.out), turn(p.angle.first),
        turn(p.readout),
    )  # fmt: skip


class Evaluator:
    """Energies, forces and virials of single crystals, on one thread.

    The matrices are small: a second thread in the BLAS makes an evaluation twenty times slower.

    Parameters
    ----------
    parameters
        Weights of a CHGNet.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._p = parameters
        self._t = transposed(parameters)

    def evaluate(
        self, numbers: NDArray[np.int64], positions: Doubles, cell: Doubles
    ) -> tuple[float, Doubles, Doubles]:
        """Return energy (eV), forces (eV/Å) and virial (eV, derivative by strain) of a crystal.

        Parameters
        ----------
        numbers : ndarray of int64, shape (n_atoms,)
            Atomic numbers.
        positions : ndarray of float64, shape (n_atoms, 3)
            Å.
        cell : ndarray of float64, shape (3, 3)
            Rows are the lattice vectors in Å.
        """
        with one_blas_thread():
            return self._evaluate(numbers, positions, cell)

    def _evaluate(
        self, numbers: NDArray[np.int64], positions: Doubles, cell: Doubles
    ) -> tuple[float, Doubles, Doubles]:
        graph = build_graph(
            cell[None], positions, np.array([0, numbers.size]), self._p.cutoff, self._p.short_cutoff
        )
        kept = _start(self._p, graph, numbers.size)
        x = self._forwards(graph, numbers, kept)
        energy, by_atom = self._readout(x, numbers)
        by_length, by_cosine = self._backwards(graph, kept, by_atom)
        forces, virial = _collect(
            graph.bond_ends, graph.vectors, graph.angles, graph.angle_sign, kept.lengths,
            kept.cosines, by_length, by_cosine, numbers.size,
        )  # fmt: skip
        return energy, forces, virial

    def _forwards(self, graph: Graph, numbers: NDArray[np.int64], kept: _Pass) -> Floats:
        """Fill in a pass; return the features of the atoms at the end."""
        p, ns, angles = self._p, graph.n_short, graph.angles
        x = p.atom_embedding[numbers]
        e = kept.radial @ p.bond_embedding
        a, step = kept.angular @ p.angle_embedding, 2
        for k in range(len(p.atom.first)):
            first = p.atom.first[k]
            kept.by_center[k] = x @ first[0] + p.atom.first_bias[k]
            kept.by_neighbour[k] = x @ first[2]
            np.matmul(e, first[1], out=kept.by_bond[k])
            summed = np.zeros_like(x)
            atom_messages(
                graph.bond_ends, kept.by_center[k], kept.by_neighbour[k], kept.by_bond[k],
                p.atom.second[k], p.atom.second_bias[k], p.atom.norm[k], kept.weight,
                kept.atom[k], summed,
            )  # fmt: skip
            x = x + summed @ p.atom.out[k] + p.atom.out_bias[k]
            if not len(angles) or k >= len(p.bond.first):
                continue
            first = p.bond.first[k]
            summed = np.zeros((ns, WIDTH), np.float32)
            bond_messages(
                angles, x @ first[3] + p.bond.first_bias[k], e[:ns] @ first[0], e[:ns] @ first[1],
                a, step, first[2], p.bond.second[k], p.bond.second_bias[k], p.bond.norm[k],
                kept.angle_weight, kept.hidden[k], kept.bond[k], summed,
            )  # fmt: skip
            e[:ns] += summed @ p.bond.out[k]
            e += p.bond.out_bias[k]
            if k >= len(p.angle.first):
                continue
            first = p.angle.first[k]
            new = np.empty((len(angles), WIDTH), np.float32)
            angle_update(
                angles, x @ first[3] + p.angle.first_bias[k], e[:ns] @ first[0], e[:ns] @ first[1],
                a, step, first[2], p.angle.norm[k], kept.angle[k], new,
            )  # fmt: skip
            new += np.repeat(a, step, axis=0) if step > 1 else a
            a, step = new, 1
        return x

    def _readout(self, x: Floats, numbers: NDArray[np.int64]) -> tuple[float, Floats]:
        """Return the energy in eV and its derivative by the features of the atoms."""
        p = self._p
        hat, inverse = x, np.ones((len(x), 1), np.float32)
        if len(p.readout_norm):
            centred = x - x.mean(axis=1, keepdims=True)
            inverse = 1.0 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + np.float32(1e-5))
            hat = centred * inverse
            x = hat * p.readout_norm[0] + p.readout_norm[1]
        slopes = []
        for weights, bias in zip(p.readout, p.readout_bias, strict=True):
            z = x @ weights + bias
            s = expit(z)
            slopes.append(s + z * s * (1.0 - s))
            x = z * s
        site = (x @ p.energy).astype(np.float64) + p.energy_bias + p.atom_energy[numbers]
        grad = np.tile(p.energy, (len(x), 1))
        for slope, turned in zip(reversed(slopes), self._t.readout[::-1], strict=True):
            grad = (grad * slope) @ turned
        if len(p.readout_norm):
            grad *= p.readout_norm[0]
            along = (grad * hat).mean(axis=1, keepdims=True)
            grad = inverse * (grad - grad.mean(axis=1, keepdims=True) - hat * along)
        return float(site.sum()), grad

    def _backwards(self, graph: Graph, kept: _Pass, gx: Floats) -> tuple[Doubles, Doubles]:
        """Return derivatives by bond lengths and cosines from that by the atoms' features."""
        p, t, ns, angles = self._p, self._t, graph.n_short, graph.angles
        ge = np.zeros((len(graph.vectors), WIDTH), np.float32)
        ga = np.zeros((len(angles), WIDTH), np.float32)
        g_weight, g_angle_weight = np.zeros_like(ge), np.zeros((ns, WIDTH), np.float32)
        for k in range(len(p.atom.first) - 1, -1, -1):
            step = 1 if k else 2
            if len(angles) and k < len(p.angle.first):
                below = ga.copy() if k else ga[::2] + ga[1::2]
                g_center, g_first, g_second = _zeros(len(gx), ns, ns)
                angle_update_backward(
                    angles, p.angle.norm[k], kept.angle[k], ga, step, t.angle_first[k, 2],
                    g_center, g_first, g_second, below,
                )  # fmt: skip
                ga = below
                gx = gx + g_center @ t.angle_first[k, 3]
                ge[:ns] += g_first @ t.angle_first[k, 0] + g_second @ t.angle_first[k, 1]
            if len(angles) and k < len(p.bond.first):
                g_center, g_first, g_second = _zeros(len(gx), ns, ns)
                bond_messages_backward(
                    angles, t.bond_second[k], p.bond.norm[k], kept.angle_weight, kept.hidden[k],
                    kept.bond[k], ge[:ns] @ t.bond_out[k], step, t.bond_first[k, 2],
                    g_angle_weight, g_center, g_first, g_second, ga,
                )  # fmt: skip
                gx = gx + g_center @ t.bond_first[k, 3]
                ge[:ns] += g_first @ t.bond_first[k, 0] + g_second @ t.bond_first[k, 1]
            g_center, g_neighbour, g_bond = _zeros(len(gx), len(gx), len(ge))
            atom_messages_backward(
                graph.bond_ends, kept.by_center[k], kept.by_neighbour[k], kept.by_bond[k],
                t.atom_second[k], p.atom.norm[k], kept.weight, kept.atom[k],
                gx @ t.atom_out[k], g_weight, g_center, g_neighbour, g_bond,
            )  # fmt: skip
            ge += g_bond @ t.atom_first[k, 1]
            gx = gx + g_center @ t.atom_first[k, 0] + g_neighbour @ t.atom_first[k, 2]
        by_radial = ge @ t.bond_embedding + g_weight @ t.bond_weights
        by_length = np.einsum("ij,ij->i", by_radial, kept.radial_slope).astype(np.float64)
        by_length[:ns] += np.einsum("ij,ij->i", g_angle_weight @ t.short_weights, kept.narrow_slope)
        by_angle = ga[: len(angles) // 2] @ t.angle_embedding
        by_cosine = np.einsum("ij,ij->i", by_angle, kept.angular_slope).astype(np.float64)
        return by_length, by_cosine


class _Pass(NamedTuple):
    """What the way forwards leaves for the way back; k counts layers.

    Attributes
    ----------
    lengths : ndarray of float64, shape (n_bonds,)
    cosines : ndarray of float64, shape (n_pairs,)
    radial, angular : ndarray of float32, shapes (n_bonds, n_radial) and (n_pairs, n_angular)
        Basis functions.
    radial_slope, narrow_slope, angular_slope : ndarray of float32
        Their derivatives by distance (up to both cut-offs) and by cosine.
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

    lengths: Doubles
    cosines: Doubles
    radial: Floats
    angular: Floats
    radial_slope: Floats
    narrow_slope: Floats
    angular_slope: Floats
    weight: Floats
    angle_weight: Floats
    by_center: Floats
    by_neighbour: Floats
    by_bond: Floats
    atom: Floats
    hidden: Floats
    bond: Floats
    angle: Floats


def _start(p: Parameters, graph: Graph, n_atoms: int) -> _Pass:
    """Return a pass with the geometry and its basis functions filled in."""
    n_bonds, ns, n_angles = len(graph.vectors), graph.n_short, len(graph.angles)

    def empty(*shape: int) -> Floats:
        return np.empty(shape, np.float32)

    lengths, cosines = _geometry(graph.vectors, graph.angles, graph.angle_sign)
    radial, radial_slope = empty(2, n_bonds, p.frequencies.size)
    narrow, narrow_slope = empty(2, ns, p.frequencies.size)
    angular, angular_slope = empty(2, n_angles // 2, 2 * p.angle_frequencies.size + 1)
    radial_basis(lengths, p.frequencies, p.cutoff, p.envelope, radial, radial_slope)
    radial_basis(
        lengths[:ns], p.short_frequencies, p.short_cutoff, p.envelope, narrow, narrow_slope
    )
    angular_basis(cosines, p.angle_frequencies, angular, angular_slope)
    n = len(p.atom.first)
    return _Pass(
        lengths, cosines, radial, angular, radial_slope, narrow_slope, angular_slope,
        radial @ p.bond_weights, narrow @ p.short_weights,
        empty(n, n_atoms, TWICE), empty(n, n_atoms, TWICE), empty(n, n_bonds, TWICE),
        empty(n, 2, 2 * n_bonds, WIDTH), empty(n - 1, n_angles, TWICE),
        empty(n - 1, 2, n_angles, WIDTH), empty(n - 2, 2, n_angles, WIDTH),
    )  # fmt: skip


def _zeros(*rows: int) -> list[Floats]:
    return [np.zeros((count, TWICE), np.float32) for count in rows]


@njit(cache=True, nogil=True)
def _geometry(vectors, angles, sign):
    """Return bond lengths, and the cosine of each pair of short bonds."""
    lengths = np.empty(len(vectors))
    for u in range(len(vectors)):
        lengths[u] = np.sqrt(vectors[u, 0] ** 2 + vectors[u, 1] ** 2 + vectors[u, 2] ** 2)
    cosines = np.empty(len(angles) // 2)
    for t in range(cosines.size):
        a, b = angles[2 * t, 1], angles[2 * t, 2]
        dot = 0.0
        for k in range(3):
            dot += vectors[a, k] * vectors[b, k]
        cosine = sign[2 * t] * dot / (lengths[a] * lengths[b])
        cosines[t] = min(1.0, max(-1.0, cosine))
    return lengths, cosines


@njit(cache=True, nogil=True)
def _collect(ends, vectors, angles, sign, lengths, cosines, by_length, by_cosine, n_atoms):
    """Return forces and virial from the derivatives by bond lengths and cosines."""
    gradient = np.empty_like(vectors)
    for u in range(len(vectors)):
        for k in range(3):
            gradient[u, k] = by_length[u] * vectors[u, k] / lengths[u]
    for r in range(by_cosine.size):
        a, b = angles[2 * r, 1], angles[2 * r, 2]
        both = sign[2 * r] / (lengths[a] * lengths[b])
        for k in range(3):
            along_a = both * vectors[b, k] - cosines[r] * vectors[a, k] / lengths[a] ** 2
            along_b = both * vectors[a, k] - cosines[r] * vectors[b, k] / lengths[b] ** 2
            gradient[a, k] += by_cosine[r] * along_a
            gradient[b, k] += by_cosine[r] * along_b
    forces, virial = np.zeros((n_atoms, 3)), np.zeros((3, 3))
    for u in range(len(vectors)):
        for k in range(3):
            forces[ends[u, 0], k] += gradient[u, k]
            forces[ends[u, 1], k] -= gradient[u, k]
            for m in range(3):
                virial[k, m] += vectors[u, k] * gradient[u, m]
    return forces, 0.5 * (virial + virial.T)
