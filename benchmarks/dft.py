"""Two DFT programs against each other: equations of state and the energy order of LiCl.

Each point is a single-point tier as in an input file, so the engines themselves are what is
tested. Points are kept in a JSON file; a second start computes only what is missing.

    python benchmarks/dft.py points.json --gpaw /path/to/python --cp2k cp2k.psmp
    python benchmarks/dft.py points.json --table
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.eos import EquationOfState

from nucleate.crystal.crystal import Crystal
from nucleate.relax.outcome import Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PHASES = {
    "LiCl rocksalt": ("LiCl", "rocksalt", 5.15),
    "LiCl cesiumchloride": ("LiCl", "cesiumchloride", 3.26),
    "LiCl zincblende": ("LiCl", "zincblende", 5.60),
    "MgO rocksalt": ("MgO", "rocksalt", 4.24),
}
VOLUMES = (0.95, 0.98, 1.01, 1.04, 1.07)
MEASURED = {"LiCl rocksalt": 5.13, "MgO rocksalt": 4.21}
"""Å, lattice constants at room temperature, rounded."""
RYDBERG = {"LiCl": 300, "MgO": 450}
"""Cutoff of CP2K's finest grid; the semicore states of Mg need more."""
CORRECTED = (0.95, 1.01)
"""Volumes of MgO at which the stress is computed with its correction for the basis, too."""


def engine_of(program: str, command: str, formula: str) -> dict[str, Any]:
    """Return the settings of one program, the same for every phase of a compound."""
    if program == "gpaw":
        return {
            "kind": "gpaw",
            "command": command,
            "options": {
                "mode": {"name": "pw", "ecut": 500},
                "occupations": {"name": "fermi-dirac", "width": 0.01},
                "convergence": {"density": 1e-5, "energy": 1e-5},
            },
            "stage": [{"relax": "none", "kspacing": 0.4}],
        }
    return {
        "kind": "cp2k",
        "command": command,
        "input": {"FORCE_EVAL": {"DFT": {"MGRID": {"CUTOFF": RYDBERG[formula], "REL_CUTOFF": 50}}}},
        "stage": [{"relax": "none", "kspacing": 0.6}],
    }


def compute_corrected(points: dict[str, Any], file: Path, command: str) -> None:
    """Fill in the points of MgO with GPAW's stress corrected for the finite basis."""
    compute(points, file, "gpaw", command, label="corrected", phases=["MgO rocksalt"])


def compute(
    points: dict[str, Any],
    file: Path,
    program: str,
    command: str,
    *,
    label: str = "",
    phases: Iterable[str] = PHASES,
) -> None:
    """Fill in the points of a program that are missing, saving after each."""
    for phase in phases:
        formula, structure, a = PHASES[phase]
        engine = engine_of(program, command, formula)
        if label:
            engine["stage"][0]["pulay"] = True
        tier = TierSettings.model_validate({"engine": engine, "relax": False, "pre_relax": False})
        relaxer = build_relaxer(tier)
        for volume in CORRECTED if label else VOLUMES:
            key = key_of(label or program, phase, volume)
            if key in points:
                continue
            atoms: Atoms = bulk(formula, structure, a=a * volume ** (1 / 3))
            ((_, outcome),) = relax_all(relaxer, [(0, Crystal.from_ase(atoms))])
            if not isinstance(outcome, Relaxed):
                print(f"{key}: {outcome.reason}: {outcome.message}", flush=True)
                continue
            points[key] = {
                "volume": outcome.crystal.volume / (len(atoms) / 2),
                "energy": outcome.energy / (len(atoms) / 2),
                "pressure": -float(np.trace(outcome.stress_gpa)) / 3,
                "wall_s": outcome.wall_s,
                "level": str(outcome.level),
            }
            print(f"{key}: {outcome.energy:.5f} eV, {outcome.wall_s:.0f} s", flush=True)
            file.write_text(json.dumps(points, indent=1))


def key_of(program: str, phase: str, volume: float) -> str:
    """Return the name of a point."""
    return f"{program} | {phase} | {PHASES[phase][2]:g} | {volume:g}"


def table(points: dict[str, Any]) -> None:
    """Print equations of state, the order of the LiCl forms and a test of the stress."""
    lowest: dict[str, dict[str, float]] = {}
    for program in ("gpaw", "cp2k"):
        for phase, (_, structure, _) in PHASES.items():
            found = [points.get(key_of(program, phase, volume)) for volume in VOLUMES]
            rows = [point for point in found if point is not None]
            if len(rows) < 5:
                continue
            volumes = np.array([row["volume"] for row in rows])
            energies = np.array([row["energy"] for row in rows])
            pressures = np.array([row["pressure"] for row in rows])
            fit = EquationOfState(volumes, energies, "birchmurnaghan")
            v0, e0, modulus = fit.fit()
            cubic = v0 * (1 if structure == "cesiumchloride" else 4)
            quartic = np.polynomial.Polynomial.fit(volumes, energies, 4)
            slope = -quartic.deriv()(volumes) * GPA_PER_EV_A3
            error = float(np.abs(slope - pressures)[1:-1].max())
            lowest.setdefault(program, {})[phase] = e0
            print(
                f"{program:5} {phase:20} a = {cubic ** (1 / 3):.3f} Å, "
                f"B = {modulus * GPA_PER_EV_A3:.1f} GPa, "
                f"pressure from stress against -dE/dV: {error:.2f} GPa, "
                f"{np.median([row['wall_s'] for row in rows]):.0f} s a point"
            )
            if program == "gpaw":
                print_corrected(points, phase, fit.eos_parameters)
    for program, energies in lowest.items():
        zero = energies.get("LiCl rocksalt")
        for phase, energy in energies.items():
            if zero is not None and phase.startswith("LiCl"):
                print(f"{program:5} {phase:20} {1000 * (energy - zero):+.0f} meV a formula unit")
    for phase, a in MEASURED.items():
        print(f"measured {phase:17} a = {a:.2f} Å")


def print_corrected(points: dict[str, Any], phase: str, parameters: Sequence[float]) -> None:
    """Print the pressures with and without the correction beside those of the fitted energies."""
    _, modulus, derivative, v0 = parameters
    for volume in CORRECTED:
        plain = points.get(key_of("gpaw", phase, volume))
        corrected = points.get(key_of("corrected", phase, volume))
        if plain and corrected:
            x = v0 / plain["volume"]
            bend = 1.0 + 0.75 * (derivative - 4.0) * (x ** (2 / 3) - 1.0)
            fitted = 1.5 * modulus * (x ** (7 / 3) - x ** (5 / 3)) * bend * GPA_PER_EV_A3
            print(
                f"gpaw  {phase:20} V = {plain['volume']:.2f} Å³: fitted {fitted:.1f} GPa, "
                f"from stress {plain['pressure']:.1f}, corrected {corrected['pressure']:.1f} GPa"
            )


def main() -> None:
    """Compute what is asked for, then print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", type=Path, help="JSON file of the points.")
    parser.add_argument("--gpaw", help="Python that has GPAW.")
    parser.add_argument("--cp2k", help="Command of CP2K.")
    parser.add_argument("--table", action="store_true", help="Only print the tables.")
    arguments = parser.parse_args()
    points = json.loads(arguments.points.read_text()) if arguments.points.is_file() else {}
    for program in ("gpaw", "cp2k"):
        command = getattr(arguments, program)
        if command and not arguments.table:
            compute(points, arguments.points, program, command)
            if program == "gpaw":
                compute_corrected(points, arguments.points, command)
    table(points)


if __name__ == "__main__":
    main()
