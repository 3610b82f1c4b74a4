"""Energies between orbits recomputed from whole crystals, and all arrangements one by one."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.distances import pairs_too_close
from nucleate.crystal.elements import element
from nucleate.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.exact.certificate import Certificate, Proof
    from nucleate.exact.grid import Orbits
    from nucleate.potentials.model import EnergyModel

TOLERANCE = 2e-6
"""Largest relative difference of the energies of a certificate from those recomputed."""

_CHUNK = 50_000_000
_LEVELS = 64


def crystal_of(proof: Proof, places: dict[str, list[int]]) -> Crystal:
    """Return the crystal with elements at places of a proof."""
    numbers = [element(s).number for s, points in places.items() for _ in points]
    points = np.array([p for points in places.values() for p in points], dtype=np.int64)
    if proof.sites is not None:
        scaled = np.array(proof.sites)[points]
    else:
        scaled = np.stack(np.unravel_index(points, proof.grid), axis=1) / np.array(proof.grid)
    return Crystal(np.array(numbers, dtype=np.int64), np.array(proof.cell), scaled)


class System:
    """Energies between orbits, from the energies of crystals that consist of one or two."""

    def __init__(self, certificate: Certificate, proof: Proof, model: EnergyModel) -> None:
        tables = model.sums
        self.model = replace(model, tables=tables._replace(volume_stiffness=0.0))
        self.proof, self.limits = proof, certificate.distances()
        self.symbols = list(proof.counts)
        self.counts = np.array(list(proof.counts.values()), dtype=np.int64)
        self.kind, self.orbit = [], []
        self.size = np.array([len(orbit) for orbit in proof.orbits], dtype=np.int64)
        own = []
        for k, symbol in enumerate(self.symbols):
            for o, orbit in enumerate(proof.orbits):
                crystal = crystal_of(proof, {symbol: orbit})
                if len(orbit) <= self.counts[k] and not pairs_too_close(
                    crystal, self.limits * (1.0 - 1e-9)
                ):
                    self.kind.append(k)
                    self.orbit.append(o)
                    own.append(self.model.evaluate(crystal).energy)
        self.own = np.array(own)
        numbers = [element(s).number for s in self.symbols for _ in range(proof.counts[s])]
        full = Crystal(np.array(numbers), np.array(proof.cell), _spread(len(numbers)))
        self.constant = model.evaluate(full).energy - self.model.evaluate(full).energy
        self.pair, self.clash = self._pairs()

    def _pairs(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        n = len(self.kind)
        pair, clash = np.zeros((n, n)), np.zeros((n, n), dtype=bool)
        vectors = self._by_vector() if self._vectors_are_fewer() else None
        for u in range(n):
            for v in range(u):
                if self.orbit[u] == self.orbit[v]:
                    clash[u, v] = True
                elif vectors is not None:
                    pair[u, v], clash[u, v] = self._summed(u, v, *vectors)
                else:
                    pair[u, v], clash[u, v] = self._together(u, v)
        return pair + pair.T, clash | clash.T

    def _vectors_are_fewer(self) -> bool:
        if self.proof.sites is not None:
            return False
        n, points = len(self.kind), int(np.prod(self.proof.grid))
        return points * len(self.symbols) ** 2 < 2 * n * n * float(np.mean(self.size))

    def _together(self, u: int, v: int) -> tuple[float, bool]:
        places: dict[str, list[int]] = {}
        for w in (u, v):
            symbol = self.symbols[self.kind[w]]
            places.setdefault(symbol, [])
            places[symbol] = places[symbol] + self.proof.orbits[self.orbit[w]]
        crystal = crystal_of(self.proof, places)
        if pairs_too_close(crystal, self.limits * (1.0 - 1e-9)):
            return 0.0, True
        return self.model.evaluate(crystal).energy - self.own[u] - self.own[v], False

    def _by_vector(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return energy and clash of two atoms by their elements and difference vector."""
        n, shape = len(self.symbols), self.proof.grid
        size = int(np.prod(shape))
        energy, clash = np.zeros((n, n, size)), np.zeros((n, n, size), dtype=bool)
        alone = [self.model.evaluate(crystal_of(self.proof, {s: [0]})).energy for s in self.symbols]
        for a in range(n):
            for b in range(a + 1):
                numbers = np.array([element(self.symbols[k]).number for k in (a, b)])
                for d in range(1, size):
                    scaled = np.array([[0, 0, 0], np.unravel_index(d, shape)]) / np.array(shape)
                    crystal = Crystal(numbers, np.array(self.proof.cell), scaled)
                    bad = pairs_too_close(crystal, self.limits * (1.0 - 1e-9))
                    clash[a, b, d] = clash[b, a, d] = bad
                    if not bad:
                        value = self.model.evaluate(crystal).energy - alone[a] - alone[b]
                        energy[a, b, d] = energy[b, a, d] = value
        return energy, clash

    def _summed(
        self, u: int, v: int, energy: NDArray[np.float64], clash: NDArray[np.bool_]
    ) -> tuple[float, bool]:
        shape = self.proof.grid
        first = np.stack(np.unravel_index(self.proof.orbits[self.orbit[u]], shape), axis=1)
        second = np.stack(np.unravel_index(self.proof.orbits[self.orbit[v]], shape), axis=1)
        gap = np.mod(second[None, :, :] - first[:, None, :], shape)
        index = (gap[..., 0] * shape[1] + gap[..., 1]) * shape[2] + gap[..., 2]
        row = self.kind[u], self.kind[v]
        return float(energy[row][index].sum()), bool(clash[row][index].any())

    def lowest(self, deadline: float) -> tuple[bool, NDArray[np.float64]]:
        """Return whether every arrangement was met, and the lowest distinct energies.

        On a grid without symmetry all points are equivalent, so one atom of the rarest element is
        held at the first point: every arrangement has an image by a shift that is met.
        """
        n_orbits = self.size.size
        order = np.argsort(-self.size, kind="stable")
        lookup = np.full((n_orbits, self.counts.size), -1, dtype=np.int64)
        lookup[self.orbit, self.kind] = np.arange(len(self.kind))
        is_held = self.proof.space_group == 1 and self.proof.sites is None
        if is_held:
            others = np.arange(self.counts.size) != np.argmin(self.counts)
            lookup[order[0], others] = -1
        rest = np.concatenate([np.cumsum(self.size[order][::-1])[::-1], [0]])
        levels = np.full(_LEVELS, np.inf)
        state = np.full(n_orbits + 1, -1, dtype=np.int64)
        energy = np.zeros(n_orbits + 1)
        depth = np.zeros(1, dtype=np.int64)
        complete = False
        while not complete and time.perf_counter() < deadline:
            complete = bool(
                _walk(lookup[order], self.size[order], rest, self.counts, self.own, self.pair,
                      self.clash, levels, state, energy, depth, is_held, _CHUNK)
            )  # fmt: skip
        return complete, levels[np.isfinite(levels)] + self.constant

    def solved_again(self, proof: Proof, seconds: float) -> tuple[str, list[str]]:
        """Solve the problem from the recomputed energies, without use of symmetry."""
        from nucleate.exact.problem import Problem
        from nucleate.exact.solver import Limits, Status, solve

        orbit = np.array(self.orbit)
        conflict = self.clash | (orbit[:, None] == orbit)
        np.fill_diagonal(conflict, False)
        kind = np.array(self.kind)
        problem = Problem(
            proof.points, _orbit_arrays(proof), proof.space_group,
            tuple(element(s).number for s in self.symbols), self.counts, kind, orbit,
            self.size[orbit], self.own, np.where(conflict, 0.0, self.pair), conflict,
            self.constant, np.arange(kind.size)[None, :],
        )  # fmt: skip
        try:
            solution = solve(problem, Limits(seconds=seconds))
        except InputError:
            return "not verified", []
        slack = 20 * TOLERANCE * (1 + abs(proof.bound or 0.0))
        if solution.status == Status.INFEASIBLE:
            claimed = proof.status == "no arrangement"
            return "solved again", [] if claimed else ["there is no arrangement at all"]
        low = solution.energy
        if low is not None and (proof.bound is None or low < proof.bound - slack):
            return "solved again", [f"the bound: there is an arrangement with energy {low:.6f}"]
        if solution.bound is None or proof.bound is None or solution.bound < proof.bound - slack:
            return "not verified", []
        return "solved again", []


def _orbit_arrays(proof: Proof) -> Orbits:
    from nucleate.exact.grid import Orbits

    label = np.zeros(sum(len(orbit) for orbit in proof.orbits), dtype=np.int64)
    for k, orbit in enumerate(proof.orbits):
        label[orbit] = k
    first = np.array([orbit[0] for orbit in proof.orbits])
    return Orbits(label, first, np.array([len(orbit) for orbit in proof.orbits]))


def _spread(n: int) -> NDArray[np.float64]:
    return np.random.default_rng(0).random((n, 3))


@njit(cache=True)
def _walk(
    lookup, size, rest, counts, own, pair, clash, levels, state, energy, depth_at, is_held, budget
):  # fmt: skip
    """Continue through all contents of the orbits, one after another; True at the end."""
    n_orbits, n_kinds = lookup.shape
    left = counts.copy()
    held = np.full(n_orbits, -1, np.int64)
    depth = depth_at[0]
    for o in range(depth):
        if state[o] < n_kinds:
            held[o] = lookup[o, state[o]]
            left[state[o]] -= size[o]
    steps = 0
    while steps < budget:
        steps += 1
        if state[depth] >= 0 and state[depth] < n_kinds and held[depth] >= 0:
            left[state[depth]] += size[depth]
            held[depth] = -1
        state[depth] += 1
        k = state[depth]
        if depth == 0 and is_held and k == n_kinds:
            return True
        if k > n_kinds:
            state[depth] = -1
            if depth == 0:
                return True
            depth -= 1
            continue
        value = energy[depth]
        if k < n_kinds:
            u = lookup[depth, k]
            if u < 0 or size[depth] > left[k]:
                continue
            good = True
            value += own[u]
            for o in range(depth):
                v = held[o]
                if v >= 0:
                    if clash[u, v]:
                        good = False
                        break
                    value += pair[u, v]
            if not good:
                continue
            held[depth] = u
            left[k] -= size[depth]
        wanted = left.sum()
        if wanted == 0:
            _note(levels, value)
            continue
        if wanted > rest[depth + 1]:
            continue
        depth += 1
        state[depth] = -1
        energy[depth] = value
    depth_at[0] = depth
    return False


@njit(cache=True)
def _note(levels, value):
    """Put an energy among the lowest distinct ones."""
    if value >= levels[-1]:
        return
    for k in range(levels.size):
        if abs(levels[k] - value) < 1e-6 * (1.0 + abs(value)):
            return
    slot = levels.size - 1
    while slot > 0 and levels[slot - 1] > value:
        levels[slot] = levels[slot - 1]
        slot -= 1
    levels[slot] = value
