"""Crystals that a language of Wyckoff positions writes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from nucleate.crystal.elements import symbols_of
from nucleate.errors import InputError
from nucleate.generate.context import GeneratorSettings

if TYPE_CHECKING:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.wyckoff_language.generator import WyckoffLanguageGenerator
    from nucleate.generate.wyckoff_language.network_order import NetworkOrder


class WyckoffLanguageSettings(GeneratorSettings):
    """Crystals that a transformer trained on known structures writes, the likely first."""

    keeps_space_groups: ClassVar[bool] = True
    completed_by: ClassVar[Literal["", "random", "blocks"]] = "random"
    works: ClassVar[tuple[str, ...]] = ("jain2013",)

    checkpoint: str = Field(
        "mp", description="The shipped language, or a file of nucleate train wyckoff-language."
    )
    number: int = Field(200, ge=1, le=5000, description="Candidates that are made.")
    leading: int = Field(
        20, ge=0, description="Candidates that are relaxed before anything else is drawn."
    )
    after: int = Field(
        0,
        ge=0,
        description="Structures of the run, of any source, before its candidates are made and the "
        "first is given.",
    )
    temperature: float = Field(
        0.7,
        ge=0.001,
        le=3.0,
        description="Of cells and coordinates only; below 1 keeps to the likely.",
    )
    top_p: float = Field(
        0.95,
        gt=0.0,
        le=1.0,
        description="Cells and coordinates beyond this share of probability are not drawn.",
    )
    ranking: Literal["auto", "likelihood", "network"] = Field(
        "auto",
        description="What comes first: the likely, or what is likely and low in energy by the "
        "graph network; auto: by the network where torch is installed and it knows the elements.",
    )
    descent_steps: int = Field(
        0,
        ge=0,
        le=1000,
        description="Steps of gradient descent on the graph network; 0 for none, which also keeps "
        "the symmetry.",
    )
    network: str = Field(
        "mp2018-harmonic", description="Shipped graph network, or a file of nucleate train."
    )
    explore: bool = Field(
        False, description="Draw the assignments by chance in place of the likeliest."
    )
    assignment_temperature: float = Field(
        1.0, ge=0.001, le=3.0, description="Of the assignments that are drawn (explore = true)."
    )
    assignment_top_p: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="Space groups, sites and elements beyond this share of probability are not "
        "drawn (explore = true).",
    )

    sites: dict[str, str] = Field(
        {}, description='Wyckoff letters of all orbits of some elements: {Sr = "a", O = "c"}.'
    )
    keep: str = Field(
        "", description="File of a part that is kept: cell and all atoms of some elements."
    )

    @property
    def is_bound(self) -> bool:
        """Whether every candidate has what ``sites`` or ``keep`` names."""
        return bool(self.sites or self.keep)

    @model_validator(mode="after")
    def _is_used(self) -> WyckoffLanguageSettings:
        fields = type(self).model_fields
        unused = [
            key for key in ("descent_steps", "network") if getattr(self, key) != fields[key].default
        ]
        if self.ranking == "likelihood" and unused:
            raise ValueError(
                f'{unused[0]} has no effect where ranking = "likelihood". Set ranking = "network", '
                "or leave it out"
            )
        if self.descent_steps and self.is_bound:
            raise ValueError(
                f"descent_steps would move what {'keep' if self.keep else 'sites'} gives. Leave "
                "one of the two keys out"
            )
        for key in ("assignment_temperature", "assignment_top_p"):
            if not self.explore and getattr(self, key) != fields[key].default:
                raise ValueError(
                    f"{key} = {getattr(self, key):g} has no effect where the likeliest assignments "
                    "are taken. Set explore = true, or leave it out"
                )
        return self

    def build(self, context: GeneratorContext) -> WyckoffLanguageGenerator:
        """Return the generator; raises InputError where the checkpoint cannot be read."""
        from nucleate.generate.wyckoff_language.checkpoint import load_language
        from nucleate.generate.wyckoff_language.generator import WyckoffLanguageGenerator
        from nucleate.generate.wyckoff_language.held import held_of

        return WyckoffLanguageGenerator(
            context.space,
            load_language(self.checkpoint),
            number=self.number,
            leading=self.leading,
            after=self.after,
            temperature=self.temperature,
            top_p=self.top_p,
            explore=self.explore,
            assignment_temperature=self.assignment_temperature,
            assignment_top_p=self.assignment_top_p,
            held=held_of(context.space, self.sites, self.keep),
            order=self._order(context),
            seed=context.seed,
            warn=context.warn,
        )

    def _order(self, context: GeneratorContext) -> NetworkOrder | None:
        """Return the order by the network, None for likelihood.

        Where the network was asked for and lacks an element, a warning says so.
        """
        if self.descent_steps and context.space.space_groups is not None:
            raise InputError(
                "descent_steps does not keep the symmetry that problem.space_groups asks for. "
                "Leave one of the two keys out."
            )
        asked = self.ranking == "network" or self.descent_steps > 0
        if self.ranking == "likelihood" or not (asked or find_spec("torch")):
            return None
        from nucleate.generate.wyckoff_language.network_order import NetworkOrder
        from nucleate.networks.graph_network.network import GraphNetwork

        network = GraphNetwork.load(self.network)
        unknown = network.unknown_elements(np.array(context.space.composition.elements))
        if unknown and asked:
            context.warn(
                f"wyckoff-language: the network {self.network} has never seen "
                f"{', '.join(symbols_of(unknown))}; its candidates are ranked by likelihood."
            )
        if unknown:
            return None
        return NetworkOrder(network, self.descent_steps)
