"""Soft spheres under pressure: engine = {kind = "model:Soft"}."""

import numpy as np
from ase.neighborlist import primitive_neighbor_list as pairs

import nucleate as nc


class SoftSpheres:  # E = sum over pairs of (1 - d / cutoff)^2, and 0.02 eV/Å^3 times the volume
    level, elements, cutoff = nc.LevelOfTheory("example", "1", "soft"), frozenset(range(99)), 4.0

    def evaluate(self, batch):
        made = nc.Evaluation(0.02 * batch.volumes, 0 * batch.positions, 0 * batch.cells)
        for k, at in enumerate(np.split(batch.positions, batch.start[1:-1])):
            i, d, to = pairs("idD", [True] * 3, batch.cells[k], at, self.cutoff)
            made.energies[k] += ((1 - d / self.cutoff) ** 2).sum() / 2
            pulls = to * (2 / self.cutoff * (1 / self.cutoff - 1 / d))[:, None]
            np.add.at(made.forces, batch.start[k] + i, pulls)
            made.stresses[k] = 0.02 * np.eye(3) + pulls.T @ to / (2 * batch.volumes[k])
        return made


class Soft(nc.Engine):
    def build(self, context):
        return SoftSpheres()
