"""The genetic algorithm of ASE for bulk crystals: its operators, nucleate's population.

Operators and selection follow the bulk example of the package ``ase-ga`` (M. Van den Bossche,
H. Grönbeck, B. Hammer, J. Chem. Theory Comput. 14, 2797 (2018)); weights are cut and splice 4,
strain 3, permutation 3. It searches cells of one size: that of the reference, which it is given.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    from ase import Atoms

    from nucleate.crystal.space import SearchSpace
    from nucleate.search.record import Record

POPULATION, START = 20, 20
SAME_ENERGY, SAME_VOLUME = 1e-3, 0.01
"""eV/atom and relative volume within which two members are taken for one."""

CONTACT_RATIO = 0.5
"""Minimum distance as a fraction of the sum of covalent radii."""


class GeneticSearch:
    """Random start, then offspring of the best distinct crystals."""

    name = "ase-ga"

    def __init__(self, space: SearchSpace, *, units: int) -> None:
        from ase_ga.utilities import CellBounds, closest_distances_generator

        self._numbers = space.composition.numbers(units)
        self._volume = space.composition.volume_per_atom * len(self._numbers)
        self._closest = closest_distances_generator(sorted(set(self._numbers)), CONTACT_RATIO)
        longest = 3.0 * self._volume ** (1.0 / 3.0)
        angle = [20.0, 160.0]
        self._bounds = CellBounds(
            {"phi": angle, "chi": angle, "psi": angle}
            | {axis: [1.5, max(longest, 8.0)] for axis in "abc"}
        )
        self._members: list[tuple[float, Crystal, int]] = []
        self._n_learnt = 0

    def propose(self, *, rng: np.random.Generator) -> Candidate | None:
        """Return a random crystal for the start, afterwards a child of the population."""
        legacy = np.random.RandomState(int(rng.integers(2**32)))
        if self._n_learnt < START or not self._members:
            atoms, source, parents = self._random(legacy), "baseline:ase-start", ()
        else:
            atoms, source, parents = self._child(legacy, rng)
        if atoms is None:
            return None
        crystal = Crystal.from_ase(atoms).wrapped()
        return Candidate(reduced_cell(crystal), Origin(source, parents))

    def learn(self, record: Record) -> None:
        """Put a relaxed crystal into the population if it is among the best distinct ones."""
        self._n_learnt += 1
        relaxed = record.relaxed
        if relaxed is None:
            return
        energy, volume = relaxed.energy_per_atom, relaxed.crystal.volume_per_atom
        for other, crystal, _ in self._members:
            near = abs(volume / crystal.volume_per_atom - 1.0) < SAME_VOLUME
            if near and abs(other - energy) < SAME_ENERGY:
                return
        self._members.append((energy, relaxed.crystal, record.number))
        self._members = sorted(self._members, key=lambda member: member[0])[:POPULATION]

    def _random(self, legacy: np.random.RandomState) -> Atoms | None:
        from ase import Atoms
        from ase_ga.startgenerator import StartGenerator

        counts = Counter(self._numbers.tolist())
        generator = StartGenerator(
            Atoms("", pbc=True),
            [(Atoms(numbers=[number]), count) for number, count in counts.items()],
            self._closest,
            box_volume=self._volume,
            number_of_variable_cell_vectors=3,
            cellbounds=self._bounds,
            splits={(2,): 1, (1,): 1},
            rng=legacy,  # pyright: ignore[reportArgumentType]
        )
        try:
            return generator.get_new_candidate(maxiter=200)
        except AssertionError:  # how ase-ga 1.0 ends when atoms of repeated blocks meet
            return None

    def _child(
        self, legacy: np.random.RandomState, rng: np.random.Generator
    ) -> tuple[Atoms | None, str, tuple[int, ...]]:
        first, second = self._parents(rng)
        operator, name = self._operator(legacy, rng)
        atoms, _ = operator.get_new_individual([_individual(first), _individual(second)])
        parents = (first[2], second[2]) if name == "cut-and-splice" else (first[2],)
        return atoms, f"baseline:ase-{name}", parents

    def _operator(self, legacy: np.random.RandomState, rng: np.random.Generator) -> tuple[Any, str]:
        from ase import Atoms
        from ase_ga.cutandsplicepairing import CutAndSplicePairing
        from ase_ga.standardmutations import PermutationMutation, StrainMutation

        n_atoms = len(self._numbers)
        weights = np.array([4.0, 3.0, 3.0 if len(set(self._numbers)) > 1 else 0.0])
        chosen = rng.choice(3, p=weights / weights.sum())
        if chosen == 0:
            pairing = CutAndSplicePairing(
                Atoms("", pbc=True),
                n_atoms,
                self._closest,
                p1=1.0,  # pyright: ignore[reportArgumentType]
                p2=0.0,
                minfrac=0.15,
                number_of_variable_cell_vectors=3,
                cellbounds=self._bounds,
                rng=legacy,  # pyright: ignore[reportArgumentType]
            )
            return pairing, "cut-and-splice"
        if chosen == 1:
            strain = StrainMutation(
                self._closest,
                cellbounds=self._bounds,
                stddev=0.7,
                number_of_variable_cell_vectors=3,
                rng=legacy,  # pyright: ignore[reportArgumentType]
            )
            strain.update_scaling_volume([_individual(item) for item in self._members[:4]])
            return strain, "strain"
        permutation = PermutationMutation(
            n_atoms,
            blmin=self._closest,
            rng=legacy,  # pyright: ignore[reportArgumentType]
        )
        return permutation, "permutation"

    def _parents(
        self, rng: np.random.Generator
    ) -> tuple[tuple[float, Crystal, int], tuple[float, Crystal, int]]:
        """Choose two by fitness: L. B. Vilhelmsen, B. Hammer, J. Chem. Phys. 141, 044711 (2014)."""
        energies = np.array([member[0] for member in self._members])
        spread = max(energies.max() - energies.min(), 1e-9)
        fitness = 0.5 * (1.0 - np.tanh(2.0 * (energies - energies.min()) / spread - 1.0))
        count = min(2, len(energies))
        chosen = rng.choice(len(energies), size=count, replace=False, p=fitness / fitness.sum())
        return self._members[chosen[0]], self._members[chosen[-1]]


def _individual(member: tuple[float, Crystal, int]) -> Atoms:
    energy, crystal, number = member
    order = np.argsort(crystal.numbers, kind="stable")
    atoms = crystal.to_ase()[order]
    atoms.info = {"confid": number, "key_value_pairs": {"raw_score": -energy}, "data": {}}
    return atoms
