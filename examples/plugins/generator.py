"""Atoms in random order on a cubic grid: generators = [{kind = "generator:Grid"}]."""

import numpy as np

import nucleate as nc


class GridGenerator(nc.Generator):
    def __init__(self, space, spacing):
        self.name, self.space, self.spacing = "grid", space, spacing

    def generate(self, *, rng, max_formula_units=None):
        allowed = [n for n in self.space.formula_units if n <= (max_formula_units or n)]
        numbers = self.space.composition.numbers(int(rng.choice(allowed)))
        side = int(np.ceil(len(numbers) ** (1 / 3)))
        nodes = rng.permutation(np.argwhere(np.ones((side, side, side))))[: len(numbers)]
        crystal = nc.Crystal(numbers, np.eye(3) * side * self.spacing, nodes / side)
        return nc.Candidate(crystal, nc.Origin(self.name))


class Grid(nc.GeneratorSettings):
    spacing: float = 2.8  # Å between the nodes

    def build(self, context):
        return GridGenerator(context.space, self.spacing)
