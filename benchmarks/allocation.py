"""Which composition next, in simulated maps: the hull error by the number of structures.

    python benchmarks/allocation.py
    python benchmarks/allocation.py --field Sr-Ti-O --seeds 0 1 --most 1500 --rules hull equal

The lowest formation energy of a composition with shares s of the corners is simulated as

    f(s) = -A (1 - sum s^2) + sum of 6 valleys, -D exp(-|s - c|^2 / 2 w^2) (1 - sum s^2) + own part

with A from 0 to 0.3 eV/atom, D from 0 to 0.6 eV/atom, w from 0.05 to 0.2, centres c drawn evenly
and an own part with a standard deviation of 0.04 eV/atom. A structure is the lowest of its
composition with a probability of 8 %, else it lies above by an exponential with the mean of
0.15 eV/atom. Only the corners are known at the beginning. The hull error is the mean difference
from the hull of the true energies over the compositions, in meV/atom. Structures of the batch of a
visit are those of ``allocation.first`` and ``allocation.slice``; one composition is visited at a
time.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.mapping.allocation import allocate
from nucleate.mapping.falls import Finding
from nucleate.mapping.field import Field, field_of
from nucleate.mapping.hull import Hull, shares_of
from nucleate.mapping.settings import AllocationSettings, MapSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHANCE = 0.08
"""That a structure is the lowest of its composition."""

ABOVE_EV = 0.15
"""eV/atom; mean height of the others."""

SHOWN = (100, 200, 300, 600, 900, 1200, 1500, 1800, 3000)
"""Numbers of structures of the table."""


@dataclass(eq=False)
class Simulated:
    """A map whose searches are draws.

    Attributes
    ----------
    field : Field
    true : ndarray of float64, shape (n,)
        Lowest formation energies in eV/atom.
    findings : list of Finding
    rng : numpy.random.Generator
    """

    field: Field
    true: NDArray[np.float64]
    findings: list[Finding]
    rng: np.random.Generator

    @classmethod
    def drawn(cls, field: Field, seed: int) -> Simulated:
        """Return a map of which only the corners are known."""
        rng = np.random.default_rng([seed, 1])
        shares = shares_of(field.counts.astype(float), field.member_counts)
        inside = 1.0 - (shares**2).sum(axis=1)
        true = -rng.uniform(0.0, 0.3) * inside
        for _ in range(6):
            away = ((shares - rng.dirichlet(np.ones(shares.shape[1]))) ** 2).sum(axis=1)
            width = rng.uniform(0.05, 0.2)
            true -= rng.uniform(0.0, 0.6) * np.exp(-0.5 * away / width**2) * inside
        true += rng.normal(0.0, 0.04, len(true))
        corners = len(field.members)
        true[:corners] = 0.0
        known = Finding(1, 0.0, ((1, 0.0),), is_known=True)
        return cls(field, true, [known] * corners + [Finding()] * (len(true) - corners), rng)

    def visit(self, place: int, number: int) -> None:
        """Draw some structures of a composition."""
        before = self.findings[place]
        history, best = list(before.history), before.best
        for count in range(before.n_structures + 1, before.n_structures + number + 1):
            is_lowest = self.rng.random() < CHANCE
            energy = self.true[place] + (0.0 if is_lowest else self.rng.exponential(ABOVE_EV))
            if best is None or energy < best:
                best = float(energy)
                history.append((count, best))
        self.findings[place] = Finding(before.n_structures + number, best, tuple(history))

    def hull(self) -> Hull:
        """Return the hull of what is known and found."""
        have = [k for k, finding in enumerate(self.findings) if finding.best is not None]
        return self._hull_of(have, [self.findings[k].best for k in have])

    def error_mev(self) -> float:
        """Return the mean difference from the hull of the true energies."""
        full = self._hull_of(range(len(self.true)), self.true.tolist())
        shares = shares_of(self.field.counts.astype(float), self.field.member_counts)
        return 1000.0 * float((self.hull().at_shares(shares) - full.at_shares(shares)).mean())

    def _hull_of(self, places: object, energies: list[float]) -> Hull:
        names = [member.formula for member in self.field.members]
        rows = self.field.counts[list(places)]  # type: ignore[call-overload]
        return Hull.build(self.field.member_counts, names, rows, energies)


def course(field: Field, rule: str, seed: int, most: int) -> tuple[list[tuple[int, float]], float]:
    """Return structures and hull errors after each visit, and the mean time of a decision in s."""
    world = Simulated.drawn(field, seed)
    settings = AllocationSettings.model_validate({"rule": rule, "seed": seed})
    corners, spent, steps = range(len(field.members)), 0, [(0, world.error_mev())]
    costs = field.counts.sum(axis=1).astype(float) * 0 + 1.0
    decisions_s: list[float] = []
    while spent < most:
        begun_s = time.process_time()
        found = allocate(
            field, world.findings, world.hull(), settings, 1, closed=corners, costs=costs
        )
        decisions_s.append(time.process_time() - begun_s)
        for choice in found.choices:
            world.visit(choice.index, choice.structures)
            spent += choice.structures
        steps.append((spent, world.error_mev()))
    return steps, float(np.mean(decisions_s))


def after(steps: list[tuple[int, float]], structures: int) -> float:
    """Return the hull error after some structures."""
    return [error for spent, error in steps if spent <= structures][-1]


def to_reach(steps: list[tuple[int, float]], mev: float) -> int | None:
    """Return after how many structures the hull error was at most this."""
    return next((spent for spent, error in steps if error <= mev), None)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--field", default="Ni-Al-Ti")
    parser.add_argument("--rules", nargs="+", default=["hull", "equal", "random"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--most", type=int, default=3000, help="structures of a map")
    arguments = parser.parse_args()
    field = field_of(MapSettings.from_dict({"field": {"system": arguments.field}}))
    shown = [number for number in SHOWN if number <= arguments.most]
    print(f"{arguments.field}: {len(field.inner)} compositions, seeds {arguments.seeds}")
    print(f"| structures | {' | '.join(map(str, shown))} | to 10 | to 5 | to 2 | s a decision |")
    print("|---" * (len(shown) + 5) + "|")
    for rule in arguments.rules:
        runs = [course(field, rule, seed, arguments.most) for seed in arguments.seeds]
        errors = [np.mean([after(steps, number) for steps, _ in runs]) for number in shown]
        cells = [f"{error:.1f}" for error in errors]
        for mev in (10.0, 5.0, 2.0):
            reached = [to_reach(steps, mev) for steps, _ in runs]
            cells.append(", ".join("–" if item is None else str(item) for item in reached))
        cells.append(f"{np.mean([seconds for _, seconds in runs]):.3f}")
        print(f"| `{rule}` | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
