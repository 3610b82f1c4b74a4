"""Shear the cell with its atoms: moves = {"move:Shear" = 2.0}."""

import numpy as np

import nucleate as nc


class Shear(nc.MoveSettings):
    largest: float = 0.3  # strain

    def apply(self, parent, context, *, rng):
        strain = np.eye(3)
        row, column = rng.permutation(3)[:2]
        strain[row, column] = rng.uniform(-self.largest, self.largest)
        child = parent.replace(cell=parent.cell @ strain)
        return nc.Child(child, {"shear": float(strain[row, column])})
