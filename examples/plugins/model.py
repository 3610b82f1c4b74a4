"""Soft spheres under pressure: engine = {kind = "model:Soft"}."""

import numpy as np
from ase.neighborlist import primitive_neighbor_list as pairs

import nucleate as nc


class SoftSpheres:  # E = sum over pairs of (1 - d / cutoff)^2, and 0.02 eV/Å^3 times the volume
    level, cutoff, batch_atoms = nc.LevelOfTheory("example", "1", "soft"), 4.0, 1000
    elements = frozenset(range(1, 119))

    def evaluate(self, batch):
        energies, forces, stresses = 0.02 * batch.volumes, 0 * batch.positions, 0 * batch.cells
        for k, (a, b) in enumerate(zip(batch.start, batch.start[1:], strict=False)):
            i, d, to = pairs("idD", [1] * 3, batch.cells[k], batch.positions[a:b], self.cutoff)
            energies[k] += 0.5 * ((1 - d / self.cutoff) ** 2).sum()
            pulls = (2 * (d / self.cutoff - 1) / (self.cutoff * d))[:, None] * to
            np.add.at(forces, a + i, pulls)
            stresses[k] = 0.02 * np.eye(3) + 0.5 * pulls.T @ to / batch.volumes[k]
        return nc.Evaluation(energies, forces, stresses)


class Soft(nc.Engine):
    def build(self, context):
        return SoftSpheres()
