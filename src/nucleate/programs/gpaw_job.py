"""Run one stage with GPAW: a script for the Python that has it, which need not have nucleate.

``python gpaw_job.py job.json`` appends one JSON object for every geometry to ``steps.jsonl`` and
writes ``done.json`` at its regular end. ``python gpaw_job.py --probe Li O`` prints the version and
the elements without a setup.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ase import Atoms
    from ase.filters import FrechetCellFilter

GPA = 160.2176634  # GPa in one eV/Å³ (CODATA 2018); this file runs without nucleate
WIDTH = 0.05


def main() -> None:
    """Do what the arguments say."""
    if sys.argv[1] == "--probe":
        probe(sys.argv[2:])
    else:
        run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))


def probe(symbols: list[str]) -> None:
    """Print the version of GPAW and the elements that it has no PBE setup for."""
    import gpaw
    from gpaw import setup_paths

    folders = [Path(folder) for folder in setup_paths]
    missing = [
        symbol for symbol in symbols if not any(any(f.glob(f"{symbol}.PBE*")) for f in folders)
    ]
    print(json.dumps({"version": gpaw.__version__, "missing": missing}))  # noqa: T201


def run(job: dict) -> None:
    """Evaluate or relax the crystal of a job."""
    from ase import Atoms
    from gpaw import GPAW, KohnShamConvergenceError
    from gpaw.mpi import world

    atoms = Atoms(
        numbers=job["numbers"], cell=job["cell"], scaled_positions=job["scaled"], pbc=True
    )
    kpts = {"size": job["kpts"], "gamma": True}
    atoms.calc = GPAW(**{"kpts": kpts, "txt": "gpaw.txt", **job["options"]})
    ending = "complete"
    try:
        job["basis_work"] = basis_work(atoms, job) if job["pulay"] else 0.0
        relax(atoms, job, world.rank == 0)
    except KohnShamConvergenceError:
        ending = "not-converged"
    if world.rank == 0:
        Path("done.json").write_text(json.dumps({"ending": ending}), encoding="utf-8")


def basis_work(atoms: Atoms, job: dict) -> float:
    """Return the pressure times volume (eV) that the stress lacks as its plane waves are too few.

    The stress is the derivative at a fixed number of plane waves. At a fixed cutoff the pressure is
    higher by -2/3 (cutoff / volume) dE/dcutoff, here from energies at 95 and 105 % of the cutoff
    (Froyen and Cohen, J. Phys. C 19, 2623 (1986); Dacosta, Nielsen and Kunc, ibid. 3163).
    """
    from gpaw import GPAW

    mode = job["options"].get("mode")
    if not isinstance(mode, dict) or mode.get("name") != "pw":
        return 0.0
    cutoff = float(mode.get("ecut", 340.0))
    kpts = {"size": job["kpts"], "gamma": True}
    energies = []
    for factor in (1.0 - WIDTH, 1.0 + WIDTH):
        other = atoms.copy()
        options = {**job["options"], "mode": {**mode, "ecut": cutoff * factor}}
        other.calc = GPAW(**{"kpts": kpts, "txt": "gpaw-cutoff.txt", **options})
        energies.append(other.get_potential_energy())
    slope = (energies[1] - energies[0]) / (2.0 * WIDTH * cutoff)
    return -2.0 / 3.0 * cutoff * slope


def relax(atoms: Atoms, job: dict, writes: bool) -> None:
    """Move the atoms until forces and stress are small or the steps are used up."""
    import ase.optimize

    pressure = job["pressure_gpa"] / GPA
    if job["relax"] == "none":
        record(atoms, job, writes)
        return
    moved = atoms
    if job["relax"] == "cell":
        moved = corrected_filter(atoms, pressure, job["basis_work"])
    optimizer = getattr(ase.optimize, job["optimizer"])(moved, logfile=None)
    for _ in optimizer.irun(fmax=0.0, steps=job["max_steps"]):
        force, stress = record(atoms, job, writes)
        if force <= job["fmax"] and (job["relax"] != "cell" or stress <= job["max_stress_gpa"]):
            return


def corrected_filter(atoms: Atoms, pressure: float, work: float) -> FrechetCellFilter:
    """Return a cell filter whose stress has the pressure ``work / volume`` of the basis added.

    The energy stays as it is: that of a fixed cutoff.
    """
    from ase.filters import FrechetCellFilter

    class CorrectedFilter(FrechetCellFilter):
        def get_forces(self, **options: object) -> object:
            self.scalar_pressure = pressure - work / self.atoms.get_volume()
            forces = super().get_forces(**options)
            self.scalar_pressure = pressure
            return forces

    return CorrectedFilter(atoms, scalar_pressure=pressure)


def record(atoms: Atoms, job: dict, writes: bool) -> tuple[float, float]:
    """Append the present geometry; return its largest force (eV/Å) and stress (GPa)."""
    energy = atoms.get_potential_energy()
    forces = atoms.get_forces()
    stress = atoms.get_stress(voigt=False) * GPA
    stress.flat[::4] -= job["basis_work"] / atoms.get_volume() * GPA
    step = {
        "cell": atoms.cell.array.tolist(),
        "scaled": atoms.get_scaled_positions(wrap=False).tolist(),
        "energy": float(energy),
        "forces": forces.tolist(),
        "stress_gpa": stress.tolist(),
    }
    if writes:
        with Path("steps.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(step) + "\n")
    left = stress.copy()
    left.flat[::4] += job["pressure_gpa"]
    return float((forces**2).sum(axis=1).max() ** 0.5), float(abs(left).max())


if __name__ == "__main__":
    main()
