"""The settings of a surrogate that learns in the run: ``[[tier]] name = "surrogate"``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from nucleate.errors import InputError
from nucleate.relax.settings import Guards, TierSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.run.settings import RunSettings

NAME = "surrogate"
"""Name of the tier that learns."""

NO_WINDOW = (-1e9, 1e9)
"""eV/atom: energies of the first tier may have any zero; the depth below what was learned guards
the surrogate."""

LEAST_SHARE, FIRST_SHARE, LARGEST_SHARE = 0.02, 0.2, 0.5
"""Between the first and the last the share that is finished adapts; it begins in the middle."""


class LearningSettings(BaseModel):
    """A surrogate that learns from the first tier, and chooses what that tier finishes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: bool = Field(False, description="Whether a surrogate learns and chooses.")
    share: float | None = Field(
        None,
        gt=0.0,
        le=1.0,
        description="Share of the candidates that the first tier finishes, the lowest by the "
        "surrogate among the last 100; default: all that could end within 0.05 eV/atom of the "
        "best, given its errors, but at least 2 % and at most 50 %.",
    )
    random_share: float = Field(
        0.02,
        gt=0.0,
        le=1.0,
        description="Share of the others that is finished all the same, drawn at random: it shows "
        "what the surrogate misses.",
    )
    first_fit: int = Field(
        16, ge=12, description="Relaxations of the first tier before the first fit."
    )
    refit_growth: float = Field(
        0.3,
        ge=0.05,
        le=2.0,
        description="A fit is due when the structures with evaluations have grown by this fraction "
        "since the last one.",
    )
    explore: int = Field(
        100,
        ge=0,
        description="Structures with evaluations up to which every candidate that is not finished "
        "is evaluated once by the first tier; later only the tenth of them that is farthest from "
        "what was learned.",
    )
    frames: int = Field(
        4,
        ge=1,
        le=50,
        description="Evaluations of a relaxation that are learned; half of them after the first "
        "fit, and a third of them where `explore` structures are known.",
    )
    compressed_share: float = Field(
        0.2,
        ge=0.0,
        le=1.0,
        description="Share of the relaxations after the first fit with one evaluation of a "
        "compressed, rattled copy; before it, all have one.",
    )
    off_below: float = Field(
        0.7,
        ge=-1.0,
        lt=1.0,
        description="Correlation of surrogate and first tier among the candidates below which the "
        "surrogate chooses no longer, until it is higher again.",
    )
    learn_from: str | None = Field(
        None,
        description="Run folder, or folder of a table of searches, whose evaluations are learned "
        "at the start: of the same model, and of these elements at least.",
    )


def tiers_with_surrogate(tiers: Sequence[TierSettings]) -> tuple[TierSettings, ...]:
    """Return what workers need: the surrogate, the tiers, and single evaluations by the first."""
    above = tiers[0]
    guards = above.guards.model_copy(
        update={
            "volume_ratio": (0.4, 2.5),
            "max_depth_ev_per_atom": Guards.model_fields["max_depth_ev_per_atom"].get_default(),
            "energy_window_ev_per_atom": NO_WINDOW,
        }
    )
    from nucleate.relax.learned import LearnedEngine

    learned = TierSettings.model_validate(
        {
            "name": NAME,
            "engine": LearnedEngine(),
            "pre_relax": above.pre_relax,
            "rattle_ang": above.rattle_ang,
            "symmetrise_ang": above.symmetrise_ang,
            "guards": guards,
            "python": above.python,
            "wall_s": 60.0,
        }
    )
    points = above.model_copy(
        update={"name": f"{above.name} point", "relax": False, "pre_relax": False, "slots": 1}
    )
    return (learned, *tiers, points)


def check_learning(settings: RunSettings) -> None:
    """Check that a surrogate can learn from the first tier.

    Raises
    ------
    InputError
        With the key and the remedy if it cannot, or if keys are given that are not used.
    """
    learning = settings.surrogate
    if not learning.on:
        given = sorted(learning.model_fields_set - {"on"})
        idle = [key for key in given if getattr(learning, key) != _default(key)]
        if idle:
            raise InputError(
                f"surrogate.{idle[0]} has no effect where surrogate.on = false; leave it out, or "
                'add on = true (--learn, or [[tier]] name = "surrogate").'
            )
        return
    if settings.executor.kind != "local":
        raise InputError(
            f"executor.kind = {settings.executor.kind!r}: a surrogate learns with workers on this "
            "machine only. Leave the surrogate or the executor out."
        )
    above = settings.tier[0]
    remedy = "Use a tier that relaxes with energies, forces and stresses in eV, such as chgnet."
    if above.engine.energy_unit != "eV":
        raise InputError(
            f"tier.name = {NAME!r}: the tier above it, {above.name!r}, gives no forces in eV/Å to "
            f"learn from. {remedy}"
        )
    for key, wanted in (("relax", True), ("relax_cell", True), ("fix_symmetry", False)):
        if getattr(above, key) is not wanted:
            raise InputError(
                f"tier.{key} = {str(not wanted).lower()} of {above.name!r}: a surrogate cannot "
                f"relax in its place. Leave the surrogate out, or set {key} = "
                f"{str(wanted).lower()}."
            )


def _default(key: str) -> Any:
    return LearningSettings.model_fields[key].get_default()


def without_surrogate(data: dict[str, Any]) -> dict[str, Any]:
    """Return an input whose tier ``surrogate`` is the section of this name.

    Raises
    ------
    ValueError
        If it is not the first tier, or there is no tier above it.
    """
    tiers = data.get("tier")
    if not isinstance(tiers, list | tuple):
        return data
    places = [place for place, tier in enumerate(tiers) if _learns(tier)]
    if not places:
        return data
    if places != [0]:
        raise ValueError(
            f"tier.name = {NAME!r} is tier {places[-1] + 1}. Put it first, once, before the tier "
            "that it learns from, or give --learn in its place."
        )
    if len(tiers) == 1:
        raise ValueError(
            f"tier.name = {NAME!r} is the only tier. Add the tier that it learns from after it: "
            '[[tier]] name = "chgnet". On the command line, --learn alone does.'
        )
    section = data.get(NAME)
    own = {key: value for key, value in tiers[0].items() if key not in ("name", "engine")}
    given = {**section} if isinstance(section, dict) else {}
    return {**data, NAME: {**own, **given, "on": True}, "tier": list(tiers[1:])}


def _learns(tier: Any) -> bool:
    """Return whether a tier is the surrogate of this run, not one that a file holds."""
    if not isinstance(tier, dict) or tier.get("name") != NAME:
        return False
    engine = tier.get("engine")
    return engine is None or engine in (NAME, {"kind": NAME})
