"""A ready pool of another program."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.generate.context import OTHERS_SERVE, Files, GeneratorSettings, check_score

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.pool import RankedPool


class PoolSettings(GeneratorSettings):
    """A ready pool of another program; what cannot be used is counted and left out."""

    keeps_space_groups: ClassVar[bool] = True
    keeps_motif: ClassVar[bool] = True
    completed_by: ClassVar[Literal["", "random", "blocks"]] = "blocks"

    weight: float = Field(
        1.0,
        ge=0.0,
        allow_inf_nan=False,
        description="Relative frequency of draws, once the best have begun the search.",
    )
    files: Files = Field(description="CIF, extxyz or POSCAR files, folders of them, or patterns.")
    ranking: Literal["given", "network", "spp", "single-point"] = Field(
        "given", description="The order of the files, or as for graph-search."
    )

    def build(self, context: GeneratorContext) -> RankedPool | None:
        """Return the pool; None with a warning where no structure can be used."""
        from nucleate.generate.pool import RankedPool, ranked
        from nucleate.generate.pool_files import given_pool, unusable

        check_score(self.ranking, context)
        members, given = given_pool(context.space, self.files, context.start_ratio)
        if not members:
            context.warn(f"{unusable(given, 'pool', self.files)} {OTHERS_SERVE}")
            return None
        for message in given.messages("pool"):
            context.warn(message)
        network = None
        if self.ranking == "network":
            from nucleate.networks.graph_network.network import GraphNetwork

            network = GraphNetwork.load()
        members = ranked(
            members, self.ranking, space=context.space, network=network, score=context.score
        )
        return RankedPool(context.space, members, name=self.kind, leading=context.population)
