"""Low-energy crystals by a graph network and an optimiser."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from nucleate.crystal.elements import symbols_of
from nucleate.generate.context import MAKES_A_POOL, GeneratorSettings, check_score

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.graph_search.generator import GraphSearchGenerator

POOL_FILE = "pool.extxyz"
"""Name of the pool in a run folder."""


class GraphSearchSettings(GeneratorSettings):
    """Low-energy crystals by a graph network and an optimiser (the FUSE2 paper's mlgen)."""

    supports: ClassVar[frozenset[str]] = frozenset({MAKES_A_POOL})
    completed_by: ClassVar[Literal["", "random", "blocks"]] = "blocks"

    weight: float = Field(
        1.0,
        ge=0.0,
        allow_inf_nan=False,
        description="Relative frequency of draws, once the best have begun the search.",
    )
    optimiser: Literal["random", "swarm", "tpe"] = Field(
        "tpe", description="Proposes crystals: at random, by a particle swarm, by Parzen windows."
    )
    symmetry: Literal["all", "triclinic"] = Field(
        "all",
        description="Space groups of the crystals: all, 1 to 230; triclinic, P1 alone as in the "
        "FUSE2 paper.",
    )
    number: int = Field(
        5000, ge=1, description="Valid crystals to evaluate for each number of formula units."
    )
    most_formula_units: int = Field(
        8, ge=1, description="Largest number of formula units to search."
    )
    refined: int = Field(
        200, ge=1, description="Best of each number of formula units that are refined and ranked."
    )
    descent_steps: int = Field(
        30,
        ge=0,
        description="Steps of gradient descent on the network for those; 0 for none, which "
        "also keeps their symmetry.",
    )
    ranking: Literal["auto", "network", "spp", "single-point"] = Field(
        "auto",
        description="What the pool is ranked by: the network, the proxy potentials (relaxed), or "
        "single points of the first tier; auto: single points where that tier is an MLIP.",
    )
    network: str = Field(
        "mp2018-harmonic", description="Shipped graph network, or a file of nucleate train."
    )

    def build(self, context: GeneratorContext) -> GraphSearchGenerator | None:
        """Return the generator; None with a warning where the network lacks an element."""
        from nucleate.generate.graph_search.generator import GraphSearchGenerator
        from nucleate.generate.graph_search.pool import Plan
        from nucleate.networks.graph_network.network import GraphNetwork

        network = GraphNetwork.load(self.network)
        unknown = network.unknown_elements(np.array(context.space.composition.elements))
        if unknown:
            context.warn(
                f"graph-search: the network {self.network} has never seen "
                f"{', '.join(symbols_of(unknown))}; the other generators serve alone."
            )
            return None
        ranking = self.ranking
        if ranking == "auto":
            ranking = "network" if context.score is None else "single-point"
        check_score(ranking, context)
        return GraphSearchGenerator(
            context.space,
            network,
            Plan(
                optimiser=self.optimiser,
                symmetry=self.symmetry,
                number=self.number,
                most_formula_units=self.most_formula_units,
                refined=self.refined,
                descent_steps=self.descent_steps,
                seed=context.seed,
            ),
            ranking=ranking,
            score=context.score,
            leading=context.population,
            processes=context.processes,
            file=None if context.folder is None else context.folder / POOL_FILE,
            report=context.report,
        )
