"""The same crystals relaxed with the StructOptimizer of the ``chgnet`` package, one by one."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
from relaxation_starts import Journal

from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from pathlib import Path

FMAX = 0.05


def relax_with_package(items: list[tuple[str, Crystal]], path: Path) -> Journal:
    """Relax every crystal that the journal lacks: FIRE, 0.05 eV/Å, the package's defaults."""
    import torch
    from chgnet.model import CHGNet, StructOptimizer

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    journal = Journal(path)
    optimiser = StructOptimizer(CHGNet.load(verbose=False, use_device="cpu"), use_device="cpu")
    for key, crystal in items:
        if key in journal:
            continue
        begin = time.process_time()
        result = optimiser.relax(crystal.to_pymatgen(), fmax=FMAX, verbose=False)
        spent = time.process_time() - begin
        final = Crystal.from_pymatgen(result["final_structure"])
        trajectory = result["trajectory"]
        forces = np.linalg.norm(trajectory.forces[-1], axis=1)
        energy = float(trajectory.energies[-1]) / final.n_atoms
        journal.add(
            key,
            core_s=spent,
            steps=len(trajectory.energies),
            energy_ev_per_atom=energy,
            max_force=float(forces.max()),
            crystal=final.to_dict(),
        )
        print(
            f"{key:18s} {spent:6.1f} s {len(trajectory.energies):4d} steps {energy:9.4f}",
            flush=True,
        )
    return journal
