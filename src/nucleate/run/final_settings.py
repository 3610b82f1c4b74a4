"""The ``[final]`` section of the input file: what is done with the best when a search has ended."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from nucleate.relax.settings import Promotion, TierSettings
from nucleate.search.polished import RATTLED
from nucleate.search.stop import seconds
from nucleate.tables import Table

FORCE_EV_PER_ANG = 0.005
STRESS_GPA = 0.02
LEAST_STEPS = 1000

AUTO, OFF = "auto", "off"
AUTO_JUDGE, AUTO_PACKAGE = "sevennet", "sevenn"
"""Model that judges by default, and the package that it needs."""


class FinalSettings(Table):
    """What is done with the best structures when a search has ended."""

    best: int = Field(
        20,
        ge=0,
        description="How many of the best distinct structures are relaxed tightly (0.005 eV/Å, "
        "0.02 GPa) when the run ends; 0: none.",
    )
    window_ev_per_atom: float = Field(
        0.2,
        ge=0.0,
        description="Only those within this enthalpy of the best, in eV/atom, and known types "
        "among the first half by the rule.",
    )
    budget: Annotated[float, BeforeValidator(seconds)] = Field(
        120.0,
        gt=0.0,
        description="Processor time of the tight relaxations: seconds, or like 2m. The judge has "
        "as much again.",
    )
    same: float = Field(
        0.025,
        gt=0.0,
        le=0.25,
        description="Largest displacement of an atom, in units of (volume per atom)^(1/3), up to "
        "which two polished structures are the same.",
    )
    judge: str | TierSettings = Field(
        AUTO,
        description="A second model that judges the polished structures: a model such as sevennet "
        "or mace:medium, a [[tier]] as a table, off, or auto: sevennet where it is installed.",
    )


def polishing_tier(last: TierSettings) -> TierSettings | None:
    """Return the tier that polishes, made from the last tier of a search.

    None where that is an external program or does not relax.
    """
    if last.engine.is_program or not last.relax:
        return None
    changed = {
        "name": RATTLED,
        "fix_symmetry": False,
        "pre_relax": False,
        "symmetrise_ang": 0.0,
        "rattle_ang": 0.0,
        "fmax_ev_per_ang": min(FORCE_EV_PER_ANG, last.fmax_ev_per_ang),
        "max_stress_gpa": min(STRESS_GPA, last.max_stress_gpa),
        "max_steps": max(LEAST_STEPS, last.max_steps),
        "promote": Promotion(),
    }
    return last.model_copy(update=changed)
