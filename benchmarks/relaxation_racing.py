"""Racing and staged tolerances, calibrated on recorded relaxations.

Every relaxation is recorded to its end; the rules are then played against the record, in the
order in which the crystals came: the best enthalpy known to a rule is that of the crystals before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from relaxation_speed import tier_of
from relaxation_starts import Journal, starts

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE, fingerprint, fingerprint_distances
from nucleate.energy.model import GPA_PER_EV_A3
from nucleate.networks.engines.chgnet import build_chgnet
from nucleate.relax.batched import BatchedRelaxer
from nucleate.relax.outcome import Relaxed
from nucleate.relax.series import relax_all

if TYPE_CHECKING:
    from pathlib import Path

CALIBRATION = ("SrTiO3", "CsPbCl3", "Al3Ni2", "Li2SiO3")
HELD_OUT = ("Ca3Ti2O7", "CoAs2", "MgAl2O4", "ZnS")
MATTERS = 0.05
"""eV/atom above the best of the composition: what must not be lost."""

CROSSINGS = (1.0, 0.6, 0.4, 0.3, 0.2, 0.1)
"""eV/Å; the geometry is kept where the largest force first falls below each of them."""


class _Recording(BatchedRelaxer):
    """Relaxes as always and keeps what the rules could have seen."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.paths: dict[int, list[list[float]]] = {}
        self.crossed: dict[int, dict[str, Any]] = {}

    def _take(self, flight: Any, energy: float, forces: Any, stress: Any) -> Any:
        crystal = flight.crystal
        largest = float(np.sqrt((forces**2).sum(axis=1).max()))
        rms = float(np.sqrt((forces**2).sum() / crystal.n_atoms))
        gpa = float(np.abs(stress).max() * GPA_PER_EV_A3)
        row = [energy / crystal.n_atoms, rms, largest, gpa, crystal.volume_per_atom]
        self.paths.setdefault(flight.key, []).append([round(value, 5) for value in row])
        mine = self.crossed.setdefault(flight.key, {})
        for limit in CROSSINGS:
            if largest < limit and str(limit) not in mine:
                mine[str(limit)] = {"at": flight.evaluations + 1, "crystal": crystal.to_dict()}
        return super()._take(flight, energy, forces, stress)


def record(count: int, path: Path, *, seed: int) -> Journal:
    """Relax and record random crystals of every composition."""
    journal = Journal(path)
    model = build_chgnet()
    for block in range(0, count, 12):
        for formula in (*CALIBRATION, *HELD_OUT):
            crystals = starts(formula, count, seed=seed)[block : block + 12]
            keys = [f"{formula}-{block + k}" for k in range(len(crystals))]
            if all(key in journal for key in keys):
                continue
            relaxer = _Recording(model, tier_of(), 0.0)
            for k, outcome in sorted(relax_all(relaxer, enumerate(crystals))):
                if keys[k] in journal:
                    continue
                done = isinstance(outcome, Relaxed)
                journal.add(
                    keys[k],
                    formula=formula,
                    energy_ev_per_atom=outcome.energy_per_atom if done else None,
                    crystal=outcome.crystal.to_dict() if done else None,
                    path=relaxer.paths.get(k, []),
                    crossed=relaxer.crossed.get(k, {}),
                )
    return journal


def play(rows: list[dict[str, Any]], *, window: float, caution: float, first: int) -> np.ndarray:
    """Return [crystals, would have mattered, lost, evaluations, of these spent] of one rule."""
    finals = [row["energy_ev_per_atom"] for row in rows if row["energy_ev_per_atom"] is not None]
    best_of_all, best = min(finals), np.inf
    total = np.zeros(5)
    for row in rows:
        final, path = row["energy_ev_per_atom"], np.array(row["path"])
        stopped = len(path)
        for k in range(first - 1, len(path) - 1):
            allowed = window + caution * (0.05 + 0.25 * path[k, 1])
            if path[k, 0] - best > allowed:
                stopped = k + 1
                break
        matters = final is not None and final - best_of_all <= MATTERS
        lost = matters and stopped < len(path)
        total += [1, matters, lost, len(path), stopped]
        if final is not None and stopped == len(path):
            best = min(best, final)
    return total


def play_merging(rows: list[dict[str, Any]], force: float) -> np.ndarray:
    """Return [merged, wrongly merged, evaluations, of these spent] of merging by fingerprint.

    A relaxation ends where its largest force first falls below ``force`` if its fingerprint is
    that of a minimum found before; wrongly if its own end is another crystal.
    """
    known: list[np.ndarray] = []
    total = np.zeros(4)
    for row in rows:
        length = len(row["path"])
        spent, crossed = length, row["crossed"].get(str(force))
        if row["crystal"] is None:
            total += [0, 0, length, length]
            continue
        end = fingerprint(Crystal.from_dict(row["crystal"]))
        if crossed is not None and known and crossed["at"] < length:
            now = fingerprint(Crystal.from_dict(crossed["crystal"]))
            distances = fingerprint_distances(now, np.array(known))
            if distances.min() < DUPLICATE_DISTANCE:
                spent = crossed["at"]
                twin = known[int(distances.argmin())]
                wrong = fingerprint_distances(end, twin[None])[0] >= DUPLICATE_DISTANCE
                total[:2] += [1, wrong]
        if spent == length:
            known.append(end)
        total[2:] += [length, spent]
    return total


def play_stages(rows: list[dict[str, Any]], *, force: float, window: float) -> np.ndarray:
    """Return [crystals, would have mattered, lost, evaluations, spent] of a screen.

    The screen ends at ``force``; only what is then within ``window`` of the best at that stage is
    finished.
    """
    best, total = np.inf, np.zeros(5)
    finals = [row["energy_ev_per_atom"] for row in rows if row["energy_ev_per_atom"] is not None]
    for row in rows:
        path, final = np.array(row["path"]), row["energy_ev_per_atom"]
        if final is None:
            total += [1, 0, 0, len(path), len(path)]
            continue
        below = np.flatnonzero(path[:, 2] <= force)
        at = int(below[0]) if below.size else len(path) - 1
        best = min(best, path[at, 0])
        goes_on = path[at, 0] <= best + window
        matters = final - min(finals) <= MATTERS
        spent = len(path) if goes_on else at + 1
        total += [1, matters, matters and not goes_on, len(path), spent]
    return total


def report_racing(path: Path) -> str:
    """Return the rules against the record, on calibration and on held-out compositions."""
    journal = Journal(path)
    groups = {"calibration": CALIBRATION, "held out": HELD_OUT}
    lines = []
    for name, formulas in groups.items():
        series = [[row for row in journal if row["formula"] == formula] for formula in formulas]
        series = [rows for rows in series if rows]
        for window in (0.05, 0.1, 0.5):
            for caution in (1.0, 1.5, 2.0, 3.0, 4.0):
                for first in (8, 16, 60):
                    t = sum(
                        play(rows, window=window, caution=caution, first=first) for rows in series
                    )
                    lines.append(
                        f"{name:12s} racing window {window} caution {caution} first {first}: lost "
                        f"{t[2]:.0f} of {t[1]:.0f} that matter, evaluations x{t[4] / t[3]:.2f}"
                    )
        for force in CROSSINGS:
            t = sum(play_merging(rows, force) for rows in series)
            lines.append(
                f"{name:12s} merging at {force}: {t[0]:.0f} merged, {t[1]:.0f} wrongly, "
                f"evaluations x{t[3] / t[2]:.2f}"
            )
        for force in (0.6, 0.3, 0.2):
            for window in (0.1, 0.2, 0.3, 0.5, 0.8):
                t = sum(play_stages(rows, force=force, window=window) for rows in series)
                lines.append(
                    f"{name:12s} screen {force} eV/A, window {window}: lost {t[2]:.0f} of "
                    f"{t[1]:.0f}, evaluations x{t[4] / t[3]:.2f}"
                )
    return "\n".join(lines)
