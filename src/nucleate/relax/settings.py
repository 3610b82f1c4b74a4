"""Settings of a tier: engine, criteria, limits, and which crystals proceed to the next tier."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from pydantic import Field, FiniteFloat, field_validator, model_validator

from nucleate.energy.engine import Engine, EngineContext
from nucleate.errors import InputError
from nucleate.faults import blaming
from nucleate.plugins import component_of, find
from nucleate.relax.capabilities import defaults_of, refuse_unsupported
from nucleate.renamed import renamed_keys
from nucleate.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nucleate.relax.relaxer import Relaxer


if TYPE_CHECKING:
    EngineChoice = Engine
else:
    EngineChoice = component_of("models", "programs")


def _default_engine() -> Engine:
    return cast("Engine", find("chgnet", "models")())


class Promotion(Table):
    """Which crystals of a tier proceed to the next one; all limits given must hold."""

    best: int | None = Field(
        default=None, ge=1, description="Only the n of lowest enthalpy so far."
    )
    within_ev_per_atom: float | None = Field(
        default=None, ge=0.0, description="Only those within this enthalpy of the best so far."
    )
    fraction: float | None = Field(
        default=None, gt=0.0, le=1.0, description="Only the best fraction of those relaxed so far."
    )


class Guards(Table):
    """Limits beyond which a relaxation has failed."""

    volume_ratio: tuple[float, float] = Field(
        default=(0.2, 4.0), description="Smallest and largest volume, relative to the start."
    )
    shortest_distance_ang: float = Field(
        default=0.4, ge=0.0, description="Å, between any two atoms."
    )
    shortest_contact: float = Field(
        default=0.6,
        ge=0.0,
        lt=1.0,
        description="Of the shortest contact of the two elements in known structures; a relaxation "
        "that continues or ends below it has reached an unphysical minimum of the model. "
        "0: not checked.",
    )
    max_force_ev_per_ang: float = Field(
        default=1e4, gt=0.0, description="eV/Å, after the first few steps."
    )
    energy_window_ev_per_atom: tuple[float, float] = Field(
        default=(-40.0, 200.0), description="eV/atom; energies outside are a failure of the model."
    )
    max_depth_ev_per_atom: float = Field(
        default=3.0,
        gt=0.0,
        description="eV/atom below the model's energy of the composition alone, where it has one "
        "(chgnet); anything deeper is an unphysical minimum of the model and a failure.",
    )
    max_atoms: int | None = Field(default=None, ge=1, description="Larger crystals are refused.")
    compression: float | None = Field(
        default=None,
        ge=0.05,
        le=3.0,
        description="Volume that crystals take under the pressure, relative to that at 0 GPa, by "
        "which contacts and volumes are judged; default: what a search finds out, else 1.",
    )

    @field_validator("volume_ratio", "energy_window_ev_per_atom")
    @classmethod
    def _rises(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not value[0] < value[1]:
            raise ValueError(f"must rise: {list(value)} lets nothing through")
        return value

    @property
    def stretch(self) -> float:
        """Lengths under the pressure relative to those at 0 GPa."""
        return 1.0 if self.compression is None else self.compression ** (1.0 / 3.0)

    _old_names = renamed_keys(
        {
            "shortest_distance": "shortest_distance_ang",
            "max_force": "max_force_ev_per_ang",
            "energy_window": "energy_window_ev_per_atom",
            "max_depth": "max_depth_ev_per_atom",
        }
    )


class TierSettings(Table):
    """One tier of the ladder."""

    name: str = Field(
        "chgnet", min_length=1, description="Name in outputs; default: the kind of the engine."
    )
    engine: EngineChoice = Field(
        default_factory=_default_engine, description="Model or program; default: chgnet."
    )
    relax: bool = Field(True, description="False: energy of the geometry as given.")
    relax_cell: bool = Field(True, description="Whether the cell moves too.")
    fix_symmetry: bool = Field(False, description="Keep the space group of the start.")
    pre_relax: bool = Field(
        True, description="Push overlapping atoms apart first, unless the symmetry is fixed."
    )
    symmetrise_ang: float = Field(
        0.0,
        ge=0.0,
        le=0.5,
        description="Å; atoms and cell are first moved to the symmetry that the crystal has within "
        "this tolerance, in the cell that it has. 0: not.",
    )
    rattle_ang: float = Field(
        0.0,
        ge=0.0,
        le=0.5,
        description="Å; standard deviation of a random displacement of every coordinate before "
        "the relaxation, unless the symmetry is fixed, so that symmetric starts leave saddle "
        "points.",
    )
    fmax_ev_per_ang: FiniteFloat = Field(
        0.05, gt=0.0, description="eV/Å, largest force at the end."
    )
    max_stress_gpa: FiniteFloat = Field(0.5, gt=0.0, description="GPa, largest stress at the end.")
    max_steps: int = Field(
        500,
        ge=1,
        description="Energy evaluations per crystal; default for spp and force-field: 3000.",
    )
    wall_s: float | None = Field(
        600.0, gt=0.0, description="Seconds per crystal; default for external programs: a day."
    )
    slots: int | None = Field(None, ge=1, description="Crystals in flight; default: by their size.")
    python: str | None = Field(
        None,
        description="Python interpreter of this tier's workers, where its package needs an "
        "environment of its own.",
    )
    promote: Promotion = Field(default_factory=Promotion)
    guards: Guards = Field(default_factory=Guards)

    _old_names = renamed_keys({"fmax": "fmax_ev_per_ang", "shake": "rattle_ang"})

    @model_validator(mode="after")
    def _keys_fit_the_engine(self) -> TierSettings:
        if self.name == "surrogate" and "engine" not in self.model_fields_set:
            raise ValueError(
                'name = "surrogate": a surrogate learns in a search only, before the first tier of '
                'its input. Give the tier an engine, or write it in an input of "nucleate predict"'
            )
        if "name" not in self.model_fields_set:
            object.__setattr__(self, "name", str(self.engine.kind).rpartition(":")[2])
        refuse_unsupported(self, type(self.engine))
        for key, value in defaults_of(type(self.engine)).items():
            if key not in self.model_fields_set:
                object.__setattr__(self, key, value)
        return self


def check_elements(tiers: Iterable[TierSettings], symbols: Sequence[str]) -> None:
    """Check that every tier knows the elements, as far as that is found without its model.

    Parameters
    ----------
    tiers
        What is asked.
    symbols
        Symbols of the elements.

    Raises
    ------
    InputError
        For the first tier that lacks one, or cannot be run.
    """
    for tier in tiers:
        for problem in tier.engine.problems(symbols):
            raise InputError(f"tier {tier.name!r}: {problem}")


def under_pressure(tiers: Sequence[TierSettings], compression: float) -> tuple[TierSettings, ...]:
    """Return tiers whose guards know the compression of a run, unless they were given one."""
    if compression == 1.0:
        return tuple(tiers)
    return tuple(
        tier
        if tier.guards.compression is not None
        else tier.model_copy(
            update={"guards": tier.guards.model_copy(update={"compression": compression})}
        )
        for tier in tiers
    )


def relaxers_of(tiers: Sequence[TierSettings], *, pressure_gpa: float = 0.0) -> list[Relaxer]:
    """Return the relaxer of each tier; tiers of one engine have its model in common."""
    built: list[Any] = []
    for place, tier in enumerate(tiers):
        same = next((k for k in range(place) if tiers[k].engine == tier.engine), None)
        built.append(_built(tier, pressure_gpa) if same is None else built[same])
    return [_relaxer(tier, one, pressure_gpa) for tier, one in zip(tiers, built, strict=True)]


def build_relaxer(tier: TierSettings, *, pressure_gpa: float = 0.0) -> Relaxer:
    """Return the relaxer of a tier, its model loaded.

    Raises
    ------
    MissingDependencyError
        If the engine's package is not installed.
    InputError
        If the engine's settings name something that does not exist.
    """
    return _relaxer(tier, _built(tier, pressure_gpa), pressure_gpa)


def _built(tier: TierSettings, pressure_gpa: float) -> Any:
    with blaming("engine", tier.engine, "build", name=tier.engine.kind):
        return tier.engine.build(EngineContext(pressure_gpa))


def _relaxer(tier: TierSettings, built: Any, pressure_gpa: float) -> Relaxer:
    module, _, name = getattr(tier.engine, "relaxer", Engine.relaxer).partition(":")
    return getattr(import_module(module), name)(built, tier, pressure_gpa)
