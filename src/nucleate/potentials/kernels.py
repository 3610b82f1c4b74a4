"""Compiled sums over a periodic crystal: neighbours, pair tables and reciprocal lattice.

Every sum runs over a sphere, in real and in reciprocal space, so energies do not depend on which
cell describes the crystal. Lattice vectors are rows; ``virial`` is dE/d(strain) in eV.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from nucleate.crystal.images import ALL, HALF, image_table, images_within, reach_of
from nucleate.crystal.lattice import reduce_lattice
from nucleate.crystal.periodic import round_shift

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_PI32 = math.pi**1.5


class Tables(NamedTuple):
    """The arrays a compiled sum needs; built by :class:`nucleate.potentials.model.EnergyModel`.

    Attributes
    ----------
    pair : ndarray of int64, shape (n_species, n_species)
        Row of ``spline`` and ``cut2`` for two species.
    spline : ndarray of float64, shape (n_pairs, n_knots, 4)
        Cubic coefficients in (r - r_k)/h.
    cut2 : ndarray of float64, shape (n_pairs,)
        Squared cut-offs in Å^2.
    inverse_step : float
        1/h in 1/Å.
    cutoff : float
        Largest cut-off in Å.
    charge_product : ndarray of float64, shape (n_species, n_species)
        Coulomb constant times both charges in eV Å.
    dispersion : ndarray of float64, shape (n_species, n_species)
        C6 in eV Å^6 of the terms summed over the whole lattice.
    alpha, k_cutoff : float
        Ewald splitting in 1/Å and radius in reciprocal space in 1/Å; 0 switches it off.
    volume : ndarray of float64, shape (n_species,)
        Expected volume of each species in Å^3.
    volume_stiffness : float
        Strength of the one-body volume term per atom; 0 switches it off.
    one_body : ndarray of float64, shape (n_species,)
        Constant energy of each species.
    """

    pair: NDArray[np.int64]
    spline: NDArray[np.float64]
    cut2: NDArray[np.float64]
    inverse_step: float
    cutoff: float
    charge_product: NDArray[np.float64]
    dispersion: NDArray[np.float64]
    alpha: float
    k_cutoff: float
    volume: NDArray[np.float64]
    volume_stiffness: float
    one_body: NDArray[np.float64]


@njit(cache=True, nogil=True)
def inverse3(m):
    """Return the inverse and the determinant of a 3 x 3 matrix (zeros if singular)."""
    out = np.zeros((3, 3))
    c0 = m[1, 1] * m[2, 2] - m[1, 2] * m[2, 1]
    c1 = m[1, 2] * m[2, 0] - m[1, 0] * m[2, 2]
    c2 = m[1, 0] * m[2, 1] - m[1, 1] * m[2, 0]
    det = m[0, 0] * c0 + m[0, 1] * c1 + m[0, 2] * c2
    if det != 0.0:
        out[0, 0] = c0 / det
        out[1, 0] = c1 / det
        out[2, 0] = c2 / det
        out[0, 1] = (m[0, 2] * m[2, 1] - m[0, 1] * m[2, 2]) / det
        out[1, 1] = (m[0, 0] * m[2, 2] - m[0, 2] * m[2, 0]) / det
        out[2, 1] = (m[0, 1] * m[2, 0] - m[0, 0] * m[2, 1]) / det
        out[0, 2] = (m[0, 1] * m[1, 2] - m[0, 2] * m[1, 1]) / det
        out[1, 2] = (m[0, 2] * m[1, 0] - m[0, 0] * m[1, 2]) / det
        out[2, 2] = (m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]) / det
    return out, det


@njit(cache=True, nogil=True)
def neighbours(pos, cell, cutoff):
    """Return a half list of all pairs and images closer than ``cutoff``, for any cell.

    Returns
    -------
    first : ndarray of int64, shape (n_atoms + 1,)
        Where the neighbours of each atom begin.
    other : ndarray of int32, shape (n_pairs,)
        Second atom of each pair.
    shift : ndarray of float64, shape (n_pairs, 3)
        Lattice translation of the second atom.
    """
    n = pos.shape[0]
    reduced, change = reduce_lattice(cell)
    inv, det = inverse3(reduced)
    frac = pos @ inv
    reach = reach_of(reduced, cutoff)
    table = image_table(reach)
    size = int(n * (2.2 * cutoff**3 * n / abs(det) + 8.0)) + 16
    first = np.zeros(n + 1, np.int64)
    other, shift = np.empty(size, np.int32), np.empty((size, 3))
    count = 0
    for i in range(n):
        for j in range(i, n):
            gap0 = frac[j, 0] - frac[i, 0]
            gap1 = frac[j, 1] - frac[i, 1]
            gap2 = frac[j, 2] - frac[i, 2]
            which = HALF if i == j else ALL
            found = images_within(reduced, reach, gap0, gap1, gap2, cutoff, which, table)
            if count + found > size:
                size = 2 * (count + found)
                other, shift = _roomier(other, shift, size)
            for m in range(found):
                other[count] = j
                for k in range(3):
                    shift[count, k] = round_shift(table[m], change, k)
                count += 1
        first[i + 1] = count
    return first, other[:count], shift[:count]


@njit(cache=True, nogil=True)
def _roomier(other, shift, size):
    longer, wider = np.empty(size, np.int32), np.empty((size, 3))
    longer[: other.size] = other
    wider[: other.size] = shift
    return longer, wider


@njit(cache=True, nogil=True, fastmath=_FAST)
def pair_sum(pos, cell, kind, first, other, shift, t, forces, virial):
    """Add the tabulated pairs to ``forces`` and ``virial``; return energy and shortest r^2."""
    energy = 0.0
    shortest = 1e30
    n = pos.shape[0]
    spline, cut2, pairs, inverse_step = t.spline, t.cut2, t.pair, t.inverse_step
    last = spline.shape[1] - 1
    c00, c01, c02 = cell[0, 0], cell[0, 1], cell[0, 2]
    c10, c11, c12 = cell[1, 0], cell[1, 1], cell[1, 2]
    c20, c21, c22 = cell[2, 0], cell[2, 1], cell[2, 2]
    vxx = vyy = vzz = vxy = vxz = vyz = 0.0
    for i in range(n):
        xi, yi, zi = pos[i, 0], pos[i, 1], pos[i, 2]
        rows = pairs[kind[i]]
        fx = fy = fz = 0.0
        for m in range(first[i], first[i + 1]):
            j = other[m]
            a, b, c = shift[m, 0], shift[m, 1], shift[m, 2]
            x = pos[j, 0] - xi + a * c00 + b * c10 + c * c20
            y = pos[j, 1] - yi + a * c01 + b * c11 + c * c21
            z = pos[j, 2] - zi + a * c02 + b * c12 + c * c22
            r2 = x * x + y * y + z * z
            p = rows[kind[j]]
            if r2 >= cut2[p]:
                continue
            if r2 < shortest:
                shortest = r2
            r = math.sqrt(r2)
            s = r * inverse_step
            k = min(int(s), last)
            s -= k
            w = spline[p, k]
            w0, w1, w2, w3 = w[0], w[1], w[2], w[3]
            energy += w0 + s * (w1 + s * (w2 + s * w3))
            g = (w1 + s * (2.0 * w2 + 3.0 * s * w3)) * inverse_step / (r + 1e-12)
            gx, gy, gz = g * x, g * y, g * z
            fx += gx
            fy += gy
            fz += gz
            forces[j, 0] -= gx
            forces[j, 1] -= gy
            forces[j, 2] -= gz
            vxx += gx * x
            vyy += gy * y
            vzz += gz * z
            vxy += gx * y
            vxz += gx * z
            vyz += gy * z
        forces[i, 0] += fx
        forces[i, 1] += fy
        forces[i, 2] += fz
    virial[0, 0] += vxx
    virial[1, 1] += vyy
    virial[2, 2] += vzz
    virial[0, 1] += vxy
    virial[1, 0] += vxy
    virial[0, 2] += vxz
    virial[2, 0] += vxz
    virial[1, 2] += vyz
    virial[2, 1] += vyz
    return energy, shortest


@njit(cache=True, nogil=True, fastmath=_FAST)
def _phases(frac, orders, cos, sin):
    n = frac.shape[0]
    for d in range(3):
        for i in range(n):
            angle = 2.0 * math.pi * frac[i, d]
            cos[d, 0, i] = 1.0
            sin[d, 0, i] = 0.0
            cos[d, 1, i] = math.cos(angle)
            sin[d, 1, i] = math.sin(angle)
        for m in range(2, orders[d] + 1):
            for i in range(n):
                cos[d, m, i] = cos[d, m - 1, i] * cos[d, 1, i] - sin[d, m - 1, i] * sin[d, 1, i]
                sin[d, m, i] = sin[d, m - 1, i] * cos[d, 1, i] + cos[d, m - 1, i] * sin[d, 1, i]


@njit(cache=True, nogil=True, fastmath=_FAST)
def _factors(k2, alpha, has_dispersion):
    """Return f(k) and f'(k)/k of the charges and of r^-6 (for half of reciprocal space)."""
    quarter = 0.25 / (alpha * alpha)
    gauss = math.exp(-k2 * quarter)
    coulomb = 4.0 * math.pi * gauss / k2
    slope = -coulomb * 2.0 * (quarter + 1.0 / k2)
    if not has_dispersion:
        return coulomb, slope, 0.0, 0.0
    k = math.sqrt(k2)
    tail = math.sqrt(math.pi) * math.erfc(0.5 * k / alpha)
    six = -_PI32 / 12.0 * (k2 * k * tail + (4.0 * alpha**3 - 2.0 * alpha * k2) * gauss)
    six_slope = -_PI32 / 12.0 * (3.0 * k * tail - 6.0 * alpha * gauss)
    return coulomb, slope, six, six_slope


@njit(cache=True, nogil=True, fastmath=_FAST)
def reciprocal_sum(pos, cell, kind, t, forces, virial):
    """Add the reciprocal parts of charges and r^-6 and their self terms; return the energy.

    One Ewald sum for both powers (Williams, Acta Cryst. A27, 452, 1971), with structure factors
    for each species, so that C6 need not be separable into atoms. ``kind`` must be sorted.
    """
    n = pos.shape[0]
    species = t.pair.shape[0]
    inv, det = inverse3(cell)
    volume = abs(det)
    frac = pos @ inv
    two_pi = 2.0 * math.pi
    orders = np.empty(3, np.int64)
    for d in range(3):
        length = math.sqrt(cell[d, 0] ** 2 + cell[d, 1] ** 2 + cell[d, 2] ** 2)
        orders[d] = int(t.k_cutoff * length / two_pi) + 1
    top = orders.max()
    cos = np.empty((3, top + 1, n))
    sin = np.empty((3, top + 1, n))
    _phases(frac, orders, cos, sin)
    has_dispersion = np.any(t.dispersion != 0.0)
    begin = np.zeros(species + 1, np.int64)  # atoms come sorted by species
    energy = 0.0
    for i in range(n):
        a = kind[i]
        begin[a + 1] += 1
        energy -= t.alpha / math.sqrt(math.pi) * t.charge_product[a, a]
        energy += t.alpha**6 / 12.0 * t.dispersion[a, a]
    lattice = 0.0
    uniform = _PI32 * t.alpha**3 / 6.0 / volume
    for a in range(species):
        for b in range(species):
            lattice -= uniform * t.dispersion[a, b] * begin[a + 1] * begin[b + 1]
    for a in range(species):
        begin[a + 1] += begin[a]
    re, im = np.empty(n), np.empty(n)
    pre, pim = np.empty(n), np.empty(n)
    push = np.zeros((3, n))
    s_re, s_im = np.empty(species), np.empty(species)
    g_re, g_im = np.empty(species), np.empty(species)
    limit = t.k_cutoff * t.k_cutoff
    vxx = vyy = vzz = vxy = vxz = vyz = 0.0
    for h in range(orders[0] + 1):
        for k in range(-orders[1] if h > 0 else 0, orders[1] + 1):
            ak = abs(k)
            sign_k = 1.0 if k >= 0 else -1.0
            hx = two_pi * (h * inv[0, 0] + k * inv[0, 1])
            hy = two_pi * (h * inv[1, 0] + k * inv[1, 1])
            hz = two_pi * (h * inv[2, 0] + k * inv[2, 1])
            for i in range(n):
                c0, s0 = cos[0, h, i], sin[0, h, i]
                c1, s1 = cos[1, ak, i], sign_k * sin[1, ak, i]
                pre[i] = c0 * c1 - s0 * s1
                pim[i] = s0 * c1 + c0 * s1
            for m in range(-orders[2] if (h > 0 or k > 0) else 1, orders[2] + 1):
                kx = hx + two_pi * m * inv[0, 2]
                ky = hy + two_pi * m * inv[1, 2]
                kz = hz + two_pi * m * inv[2, 2]
                k2 = kx * kx + ky * ky + kz * kz
                if k2 > limit:
                    continue
                sign_m = 1.0 if m >= 0 else -1.0
                cos_m, sin_m = cos[2, abs(m)], sin[2, abs(m)]
                for a in range(species):
                    sum_re = sum_im = 0.0
                    for i in range(begin[a], begin[a + 1]):
                        s2 = sign_m * sin_m[i]
                        re[i] = pre[i] * cos_m[i] - pim[i] * s2
                        im[i] = pim[i] * cos_m[i] + pre[i] * s2
                        sum_re += re[i]
                        sum_im += im[i]
                    s_re[a], s_im[a] = sum_re, sum_im
                f, df, f6, df6 = _factors(k2, t.alpha, has_dispersion)
                term = 0.0
                slope = 0.0
                for a in range(species):
                    gr = gi = dr = di = 0.0
                    for b in range(species):
                        w = f * t.charge_product[a, b] + f6 * t.dispersion[a, b]
                        dw = df * t.charge_product[a, b] + df6 * t.dispersion[a, b]
                        gr += w * s_re[b]
                        gi += w * s_im[b]
                        dr += dw * s_re[b]
                        di += dw * s_im[b]
                    g_re[a] = 2.0 * gr / volume
                    g_im[a] = 2.0 * gi / volume
                    term += s_re[a] * gr + s_im[a] * gi
                    slope += s_re[a] * dr + s_im[a] * di
                lattice += term / volume
                slope /= volume
                vxx -= slope * kx * kx
                vyy -= slope * ky * ky
                vzz -= slope * kz * kz
                vxy -= slope * kx * ky
                vxz -= slope * kx * kz
                vyz -= slope * ky * kz
                for a in range(species):
                    g_a, h_a = g_re[a], g_im[a]
                    for i in range(begin[a], begin[a + 1]):
                        g = im[i] * g_a - re[i] * h_a
                        push[0, i] += g * kx
                        push[1, i] += g * ky
                        push[2, i] += g * kz
    for i in range(n):
        for d in range(3):
            forces[i, d] += push[d, i]
    virial[0, 0] += vxx - lattice
    virial[1, 1] += vyy - lattice
    virial[2, 2] += vzz - lattice
    virial[0, 1] += vxy
    virial[1, 0] += vxy
    virial[0, 2] += vxz
    virial[2, 0] += vxz
    virial[1, 2] += vyz
    virial[2, 1] += vyz
    return energy + lattice


@njit(cache=True, nogil=True)
def energy_sum(pos, cell, kind, first, other, shift, t, forces, virial):
    """Fill ``forces`` (eV/Å) and ``virial`` (eV); return the energy and the shortest contact."""
    forces[:] = 0.0
    virial[:] = 0.0
    energy, shortest = pair_sum(pos, cell, kind, first, other, shift, t, forces, virial)
    for i in range(kind.size):
        energy += t.one_body[kind[i]]
    if t.k_cutoff > 0.0:
        energy += reciprocal_sum(pos, cell, kind, t, forces, virial)
    if t.volume_stiffness > 0.0:
        expected = 0.0
        for i in range(kind.size):
            expected += t.volume[kind[i]]
        _, det = inverse3(cell)
        strain = math.log(abs(det) / expected)
        energy += t.volume_stiffness * kind.size * strain * strain
        for d in range(3):
            virial[d, d] += 2.0 * t.volume_stiffness * kind.size * strain
    return energy, math.sqrt(shortest)
