"""Normal equations of a surrogate that grow as evaluations arrive, and their solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.surrogate.descriptors import Layout
from nucleate.surrogate.errors import NEAR_EV, REST_FORCE, CurvePoint, Errors, Tally
from nucleate.surrogate.state import pack, unpack
from nucleate.surrogate.surrogate import Surrogate
from nucleate.surrogate.walls import ShortestDistances
from nucleate.threads import one_blas_thread
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.surrogate.frames import Frame

ENERGY_NOISE, FORCE_NOISE, VIRIAL_NOISE = 0.003, 0.06, 0.03
"""eV/atom, eV/Å and eV/atom by which an evaluation may miss; they grow with energy and force."""

ENERGY_SCALE, FORCE_SCALE = 0.15, 4.0
"""eV/atom above the lowest and eV/Å at which the noise has doubled."""

HIGHEST_EV, HIGHEST_FORCE = 4.0, 60.0
"""eV/atom above the lowest and eV/Å beyond which an evaluation is not learned."""

DEEPEST_EV = 2.0
"""eV/atom below the lowest of the first groups, beyond which an evaluation is an unphysical
minimum of the model above and is not learned: all that is sound would lie too far above it."""

RIDGES = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
ONE_BODY_RIDGE = 1e-9
PAIR_SIZE, THREE_BODY_SIZE = 20.0, 2.0
"""eV, how large weights are expected to be: what was hardly seen must not get huge ones."""

FIRST_FORCES, MOST_FORCES = 16, 8
"""Atoms of an evaluation whose forces are learned, before the first fit and after it, drawn at
random where there are more."""

HOLD = 5
"""Before the first fit, every fifth group is held out to choose the ridge."""

MIN_GROUPS, MIN_FRAMES = 10, 30
N_DIRECTIONS, N_KEPT = 6, 200
"""Directions of the covariance in a message, and rows of energies from which they are chosen."""

_OUTLIER = 100.0


@dataclass(frozen=True, slots=True)
class Learned:
    """What became of frames: how many were learned, held out for the first fit, and refused."""

    learned: int = 0
    held_out: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class NotFitted:
    """Why there is no surrogate (yet): data, not an exception."""

    reason: str


class Fit:
    """Grows with :meth:`add`; :meth:`solve` gives a surrogate.

    Every group of frames is predicted by the last fit before it is learned. These errors, of
    evaluations never seen, are the learning curve, and they choose the ridge of the next fit.

    The result depends on the frames and their order alone.

    Parameters
    ----------
    elements
        Atomic numbers.
    tier
        Name of the tier above, which computes the frames.
    """

    def __init__(self, elements: Iterable[int], *, tier: str = "chgnet") -> None:
        self.layout = Layout.of(elements)
        self.tier = tier
        size = self.layout.n_columns
        self.number = self.n_frames = self.n_groups = self.n_refused = 0
        self.curve: list[CurvePoint] = []
        self._gram = np.zeros((size, size), order="F")
        self._right = np.zeros(size)
        self._baseline = np.nan
        self._lowest: dict[tuple[float, ...], float] = {}
        self._distances = ShortestDistances(self.layout)
        self._held: list[tuple[Frame, ...]] = []
        self._kept: list[NDArray[np.float32]] = []
        self._ridges: tuple[float, ...] = ()
        self._solutions = np.zeros((size, 0))
        self._ridge = RIDGES[1]
        self._losses = np.zeros(0)
        self._tally = Tally()
        self._factor: NDArray[np.float64] | None = None
        self._scale = np.ones(size)

    def add(self, frames: Sequence[Frame]) -> Learned:
        """Learn the frames of one relaxation, or hold them out for the first fit.

        Parameters
        ----------
        frames
            Evaluations of the tier above, thinned; those of a compressed crystal belong to the
            relaxation that it was made from.

        Returns
        -------
        Learned
            Frames of other elements, far above the lowest energy, or with forces beyond what can
            be learned, are refused and counted.
        """
        usable = tuple(frame for frame in frames if self._is_usable(frame))
        refused = len(frames) - len(usable)
        self.n_refused += refused
        if not usable:
            return Learned(refused=refused)
        self.n_groups += 1
        if not self.number and self.n_groups % HOLD == 0:
            self._held.append(usable)
            return Learned(held_out=len(usable), refused=refused)
        learned = self._learn(usable)
        self.n_refused += len(usable) - learned
        return Learned(learned=learned, refused=refused + len(usable) - learned)

    def solve(self) -> Surrogate | NotFitted:
        """Return the surrogate of everything learned so far, or why there is none."""
        lack = self._lack()
        if lack:
            return NotFitted(lack)
        with one_blas_thread():
            if not self.number:
                self._solve_at(RIDGES)
                for group in self._held:
                    self._learn(group)
                self._held.clear()
            errors = self._choose_ridge()
            place = RIDGES.index(self._ridge)
            self._solve_at(RIDGES[max(place - 1, 0) : place + 2])
            if self._factor is None:
                return NotFitted(
                    "the normal equations have no solution: their rows depend on each other"
                )
            self.number += 1
            return self._surrogate(errors)

    def leverage(self, crystal: Crystal) -> float:
        """Return how far the energy of a crystal is from what the last fit had learned.

        It is the variance of the predicted energy per atom due to the weights, relative to the
        noise assumed for energies, and is infinite before the first fit.
        """
        from scipy.linalg import solve_triangular

        if self._factor is None:
            return np.inf
        row = self.layout.energy_row(crystal) / (crystal.n_atoms * ENERGY_NOISE)
        known = solve_triangular(self._factor, row / self._scale, trans=1, check_finite=False)
        return float(known @ known)

    def to_bytes(self) -> bytes:
        """Return everything learned; :meth:`from_bytes` continues from it with the same bits."""
        return pack(self)

    @classmethod
    def from_bytes(cls, message: bytes) -> Fit:
        """Undo :meth:`to_bytes`.

        Raises
        ------
        InputError
            If it is no fit of this version.
        """
        elements, tier, values = unpack(message)
        fit = cls(elements, tier=tier)
        vars(fit).update(values)
        return fit

    def _lack(self) -> str:
        if self.n_frames < MIN_FRAMES:
            refused = f", and {self.n_refused} were refused" if self.n_refused else ""
            return (
                f"{self.n_frames} evaluations are learned where {MIN_FRAMES} are the least"
                f"{refused}; the first tier relaxes all candidates until there are more"
            )
        if not self.number and self.n_groups < MIN_GROUPS:
            return (
                f"{self.n_groups} relaxations are known where {MIN_GROUPS} are the least; the "
                "first tier relaxes all candidates until there are more"
            )
        missing = [
            z for z, count in zip(self.layout.elements, self._gram.diagonal(), strict=False)
            if count == 0.0
        ]  # fmt: skip
        return f"no evaluation holds the elements Z = {missing}" if missing else ""

    def _is_usable(self, frame: Frame) -> bool:
        numbers = set(frame.crystal.numbers.tolist())
        if not numbers <= set(self.layout.elements) or frame.max_force > HIGHEST_FORCE:
            return False
        lowest = self._lowest.get(self._shares(frame.crystal), np.inf)
        if self.n_groups >= MIN_GROUPS and frame.energy_per_atom < lowest - DEEPEST_EV < np.inf:
            return False
        return frame.energy_per_atom < lowest + HIGHEST_EV

    def _shares(self, crystal: Crystal) -> tuple[float, ...]:
        counts = np.bincount(self.layout.kinds(crystal.numbers), minlength=self.layout.n_elements)
        return tuple(np.round(counts / crystal.n_atoms, 9).tolist())

    def _learn(self, frames: Sequence[Frame]) -> int:
        """Predict and then learn frames; return how many of them could be learned."""
        from scipy.linalg.blas import dsyrk  # pyright: ignore[reportAttributeAccessIssue]

        if np.isnan(self._baseline):
            self._baseline = float(np.median([frame.energy_per_atom for frame in frames]))
        for frame in frames:
            shares = self._shares(frame.crystal)
            known = self._lowest.get(shares, np.inf)
            self._lowest[shares] = min(known, frame.energy_per_atom)
        learned = 0
        for place, frame in enumerate(frames):  # the rows of seven elements take 2 MB each
            most = MOST_FORCES if self.number else FIRST_FORCES
            rng = np.random.default_rng([self.n_groups, place])
            atoms = _drawn(frame.crystal.n_atoms, most, rng)
            block = self._block(frame, atoms)
            if block is None:
                continue
            matrix, values = block
            with one_blas_thread():
                if self._solutions.shape[1]:
                    misses = (matrix @ self._solutions - values[:, None]) ** 2
                    self._losses += np.minimum(misses, _OUTLIER).sum(axis=0)
                self._gram = dsyrk(1.0, matrix.T, 1.0, self._gram, overwrite_c=1)
                self._right += values @ matrix
            learned += 1
        self.n_frames += learned
        return learned

    def _block(
        self, frame: Frame, atoms: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Return the weighted rows of a frame, with the forces of some atoms for those of all."""
        crystal, n = frame.crystal, frame.crystal.n_atoms
        matrix = self.layout.rows(crystal, atoms)
        if not np.isfinite(matrix).all():
            return None
        self._distances.take(crystal)
        virial = (frame.stress_gpa * (crystal.volume / GPA_PER_EV_A3))[_VOIGT]
        values = np.concatenate(
            [
                [frame.energy_ev - n * self._baseline],
                frame.forces_ev_per_ang[atoms].ravel(),
                0.5 * (virial + (frame.stress_gpa.T * (crystal.volume / GPA_PER_EV_A3))[_VOIGT]),
            ]
        )
        above = frame.energy_per_atom - self._lowest[self._shares(crystal)]
        if self._solutions.shape[1]:
            self._test(frame, values, matrix @ self._chosen, above)
        self._kept = [*self._kept[1 - N_KEPT :], (matrix[0] / n).astype(np.float32)]
        noise = np.full(values.size, FORCE_NOISE)
        noise[0], noise[-6:] = ENERGY_NOISE * n, VIRIAL_NOISE * n
        noise[1:-6] *= np.sqrt(len(atoms) / n)
        noise *= 1.0 + max(above, 0.0) / ENERGY_SCALE + frame.max_force / FORCE_SCALE
        matrix /= noise[:, None]
        return matrix, values / noise

    @property
    def _chosen(self) -> NDArray[np.float64]:
        return self._solutions[:, self._ridges.index(self._ridge)]

    def _test(
        self, frame: Frame, values: NDArray[np.float64], found: NDArray[np.float64], above: float
    ) -> None:
        """Take down how wrong the last fit is on a frame."""
        n = frame.crystal.n_atoms
        if above > NEAR_EV:
            return
        misses = found - values
        per_gpa = GPA_PER_EV_A3 / frame.crystal.volume
        self._tally.add(
            predicted=found[0] / n + self._baseline,
            true=frame.energy_per_atom,
            force=float((misses[1:-6] ** 2).mean()),
            stress=float(((misses[-6:] * per_gpa) ** 2).mean()),
            is_at_rest=frame.max_force < REST_FORCE,
        )

    def _choose_ridge(self) -> Errors | None:
        """Choose the ridge by what was predicted since the last fit; return the errors there."""
        errors = self._tally.errors()
        if errors is not None:
            self._ridge = self._ridges[int(np.argmin(self._losses))]
            self.curve.append(CurvePoint(self.number, self.n_frames, self.n_groups, errors))
        self._tally = Tally()
        return errors

    def _solve_at(self, ridges: tuple[float, ...]) -> None:
        """Solve for some ridges and keep the solutions, and the factor of the ridge chosen."""
        from scipy.linalg import cholesky, solve_triangular

        scale = np.sqrt(self._gram.diagonal())
        scale[scale == 0.0] = 1.0
        prior = np.full(len(scale), PAIR_SIZE**-2)
        prior[self.layout.three_body :] = THREE_BODY_SIZE**-2
        solutions, solved = [], []
        self._factor, self._scale = None, scale
        scaled = self._gram / scale[:, None]  # its upper triangle counts
        scaled /= scale
        for ridge in ridges:
            regular = scaled.copy(order="F")
            added = ridge + prior / scale**2
            added[: self.layout.n_elements] = ONE_BODY_RIDGE
            np.fill_diagonal(regular, regular.diagonal() + added)
            try:
                factor = cholesky(regular, overwrite_a=True, check_finite=False)
            except np.linalg.LinAlgError:
                continue
            half = solve_triangular(factor, self._right / scale, trans=1, check_finite=False)
            solutions.append(solve_triangular(factor, half, check_finite=False) / scale)
            solved.append(ridge)
            if ridge == self._ridge:
                self._factor = factor
        self._ridges = tuple(solved)
        self._solutions = np.array(solutions).reshape(len(solved), len(scale)).T.copy()
        self._losses = np.zeros(len(solved))

    def _surrogate(self, errors: Errors | None) -> Surrogate:
        weights = self._chosen.copy()
        weights[: self.layout.n_elements] += self._baseline
        one_body = weights[: self.layout.n_elements]
        lowest = min(low - float(np.dot(shares, one_body)) for shares, low in self._lowest.items())
        return Surrogate(
            elements=self.layout.elements,
            weights=weights,
            walls=self._distances.walls(),
            lowest=lowest,
            spread=self._spread(),
            number=self.number,
            tier=self.tier,
            n_frames=self.n_frames,
            n_groups=self.n_groups,
            errors=errors,
        )

    def _spread(self) -> NDArray[np.float16]:
        """Return a square root of the covariance along the directions that matter to energies."""
        from scipy.linalg import solve_triangular

        rows = np.array(self._kept, dtype=np.float64).T / self._scale[:, None]
        known = solve_triangular(self._factor, rows, trans=1, check_finite=False)
        main = _main_directions(known)
        back = solve_triangular(self._factor, main, check_finite=False) / self._scale[:, None]
        largest = np.finfo(np.float16).max
        return np.clip(back.T / ENERGY_NOISE, -largest, largest).astype(np.float16)


def _main_directions(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the left singular vectors of the largest singular values, by the smaller Gram."""
    values, vectors = np.linalg.eigh(columns.T @ columns)
    largest = slice(None, -1 - N_DIRECTIONS, -1)
    kept = values[largest] > np.finfo(float).eps * values[-1]
    sizes = np.sqrt(np.where(kept, values[largest], np.inf))
    return columns @ vectors[:, largest] / sizes


def _drawn(n_atoms: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the places of the atoms whose forces are learned, ascending."""
    if n_atoms <= most:
        return np.arange(n_atoms)
    return np.sort(rng.permutation(n_atoms)[:most])


_VOIGT = ([0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1])
