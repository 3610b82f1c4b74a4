"""The evolutionary algorithm of CrySPY: its operators, selection and random crystals.

T. Yamashita et al., Sci. Technol. Adv. Mater. Meth. 1, 87 (2021). Generations of 20 in the shares
of its tutorial: 10 by crossover, 4 by permutation, 4 by strain and 2 random ones of PyXtal; 10
distinct parents at most, tournaments of 2, and 2 elites. All else is at CrySPY's defaults. It
searches cells of one size: that of the reference, which it is given. CrySPY waits for the end of a
generation; here the next one begins while the last few crystals of the one before are in flight.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal

if TYPE_CHECKING:
    import numpy as np
    from pymatgen.core import Structure

    from nucleate.crystal.space import SearchSpace
    from nucleate.search.record import Record

GENERATION = ("crossover",) * 10 + ("permutation",) * 4 + ("strain",) * 4 + ("random",) * 2
FITTEST, TOURNAMENT, ELITES = 10, 2, 2
MOST_EXCESS, SWAPS, STRAIN, ATTEMPTS, PAIRS_TRIED = 4, 1, 0.5, 50, 50
"""nat_diff_tole, ntimes, sigma_st, maxcnt_ea and max_parent_attempts of CrySPY."""


class CryspySearch:
    """A generation of random crystals, then generations bred from the fittest of the last."""

    name = "cryspy-ea"

    def __init__(self, space: SearchSpace, *, units: int) -> None:
        from cryspy.util.struc_util import set_mindist

        logging.getLogger("cryspy").setLevel(logging.ERROR)
        counts = space.composition.counts
        self._species = tuple(counts)
        self._atoms = tuple(count * units for count in counts.values())
        self._distances = set_mindist(self._species, None, 1.0, no_print=True)
        self._energies: dict[int, float] = {}
        self._structures: dict[int, Structure] = {}
        self._ranked: tuple[int, tuple[int, ...]] = (0, ())
        self._n_learnt = 0

    def propose(self, *, rng: np.random.Generator) -> Candidate | None:
        """Return a random crystal, or a child of the generation before."""
        generation, place = divmod(self._n_learnt, len(GENERATION))
        operator = GENERATION[place] if generation else "random"
        if operator == "permutation" and len(self._species) == 1:
            operator = "strain"
        parents = self._parents(generation) if operator != "random" else ()
        if len(parents) < (2 if operator == "crossover" else 1):
            operator = "random"
        if operator == "random":
            structure, chosen = self._random(rng), ()
        else:
            structure, chosen = self._child(operator, parents, rng)
        if structure is None:
            return None
        crystal = Crystal.from_pymatgen(structure).wrapped()
        return Candidate(reduced_cell(crystal), Origin(f"baseline:cryspy-{operator}", chosen))

    def learn(self, record: Record) -> None:
        """Keep a relaxed crystal, unless atoms are closer than CrySPY admits."""
        from cryspy.util.struc_util import check_distance

        self._n_learnt += 1
        if record.relaxed is None:
            return
        structure = record.relaxed.crystal.to_pymatgen()
        if check_distance(structure, self._species, self._distances)[0]:
            self._energies[record.number] = record.relaxed.energy_per_atom
            self._structures[record.number] = structure

    def _parents(self, generation: int) -> tuple[int, ...]:
        """Return the fittest of the last generation and the elites, the best first."""
        if self._ranked[0] != generation:
            first = (generation - 1) * len(GENERATION)
            last = [number for number in self._energies if number >= first]
            before = [number for number in self._energies if number < first]
            numbers = [*last, *self._selected(before, ELITES)]
            self._ranked = generation, tuple(self._selected(numbers, FITTEST))
        return self._ranked[1]

    def _selected(self, numbers: list[int], most: int) -> list[int]:
        import numpy as np
        from cryspy.EA.natural_selection import natural_selection

        ranking, _, _ = natural_selection(
            {number: self._energies[number] for number in numbers},
            {number: self._structures[number] for number in numbers},
            n_fittest=most,
            rng=np.random.default_rng(len(self._energies)),
        )
        return ranking

    def _random(self, rng: np.random.Generator) -> Structure:
        from cryspy.RS.gen_struc_RS.gen_pyxtal import gen_struc

        return gen_struc(self._species, self._atoms, self._distances, "all", rng=rng)

    def _child(
        self, operator: str, parents: tuple[int, ...], rng: np.random.Generator
    ) -> tuple[Structure | None, tuple[int, ...]]:
        from cryspy.EA import ea_offspring as offspring
        from cryspy.EA.gen_struc_EA import crossover, permutation, strain

        common: dict[str, Any] = {
            "atype": self._species,
            "mindist": self._distances,
            "maxcnt_ea": ATTEMPTS,
        }
        if operator == "crossover":
            made_by = crossover.CrossoverOffspringGenerator
            fixed = ("ll_nat", "ul_nat", "cn_comb", "feasible_N", "charge", "cn_data")
            context: Any = crossover.CrossoverContext(
                nat=self._atoms,
                crs_lat="random",
                nat_diff_tole=MOST_EXCESS,
                vc=False,
                **dict.fromkeys((*fixed, "min_comp", "max_comp")),
                **common,
            )
        elif operator == "permutation":
            made_by = permutation.PermutationOffspringGenerator
            context = permutation.PermutationContext(ntimes=SWAPS, **common)
        else:
            made_by = strain.StrainOffspringGenerator
            context = strain.StrainContext(sigma_st=STRAIN, **common)
        generator = made_by(
            offspring.ParentData(self._structures),
            offspring.TournamentSelectionContext(parents, TOURNAMENT),
            context,
            PAIRS_TRIED,
        )
        result: Any = generator.generate(rng)
        if not isinstance(result, offspring.OffspringResult):
            return None, ()
        return result.structure, tuple(result.parent_ids)
