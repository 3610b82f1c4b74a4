"""Settings of a tier: which engine, how far to relax, what to give up, what goes on."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nucleate.networks.mlip_settings import (
    GraceSettings,
    MaceSettings,
    MatglSettings,
    MattersimSettings,
    OrbSettings,
    UpetSettings,
)
from nucleate.programs.settings import (
    Cp2kSettings,
    EspressoSettings,
    GpawSettings,
    GulpSettings,
    LammpsSettings,
    VaspSettings,
)
from nucleate.relax.capabilities import BATCHED, CLASSICAL, defaults_of, refuse_unsupported
from nucleate.renamed import renamed_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.relax.relaxer import Relaxer


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChgnetSettings(_Settings):
    """CHGNet, on the weights that the package ``chgnet`` carries."""

    supports: ClassVar[frozenset[str]] = BATCHED | {"guards.max_depth_ev_per_atom"}

    kind: Literal["chgnet"] = "chgnet"
    model: Literal["0.3.0", "r2scan", "0.2.0"] = Field(
        "0.3.0", description="Checkpoint; r2scan is CHGNet 0.3.0 transferred to r2SCAN."
    )
    device: str = Field("cpu", description="cpu, or a CUDA device of torch such as cuda:0.")
    fuse: bool | None = Field(
        None,
        description="On a GPU: kernels of our own (triton), faster and the same bit for bit every "
        "time; by default where triton is installed and the GPU can run them.",
    )

    @model_validator(mode="after")
    def _fuses_on_a_gpu(self) -> ChgnetSettings:
        if self.fuse and self.device == "cpu":
            raise ValueError(
                'engine.fuse = true needs a GPU: set engine.device = "cuda:0", or leave fuse out'
            )
        return self


class AseSettings(_Settings):
    """Any ASE calculator that gives energy, forces and stress."""

    kind: Literal["ase"] = "ase"
    calculator: str = Field(
        description="Import path of the class or function, for example ase.calculators.emt:EMT."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the calculator."
    )
    cutoff: float = Field(
        6.0, gt=0.0, description="Å; an atom without a neighbour within it is refused."
    )


class SppSettings(_Settings):
    """Proxy potentials derived from known structures; energies in arbitrary units."""

    supports: ClassVar[frozenset[str]] = CLASSICAL
    tier_defaults: ClassVar[dict[str, Any]] = {"max_steps": 3000}

    kind: Literal["spp"] = "spp"
    file: str | None = Field(
        None, description="Library (npz) from nucleate potentials derive; default: the shipped one."
    )


class ForceFieldSettings(_Settings):
    """A published force field: Buckingham terms and charges."""

    supports: ClassVar[frozenset[str]] = CLASSICAL
    tier_defaults: ClassVar[dict[str, Any]] = {"max_steps": 3000}

    kind: Literal["force-field"] = "force-field"
    file: str = Field(description="TOML file, or a GULP library.")


class SevennetSettings(_Settings):
    """SevenNet, on the weights that the package ``sevenn`` carries; for re-ranking the best."""

    kind: Literal["sevennet"] = "sevennet"
    model: Literal["7net-0", "7net-l3i5", "7net-mf-0"] = Field(
        "7net-0", description="Checkpoint; 7net-l3i5 is the most accurate and the slowest."
    )
    modal: Literal["PBE", "R2SCAN"] | None = Field(
        None, description="Functional of 7net-mf-0; default PBE."
    )
    device: str = Field("cpu", description="A device of torch, such as cpu or cuda:0.")


class TorchSimSettings(_Settings):
    """Any model of torch-sim (Python 3.12 and later)."""

    kind: Literal["torch-sim"] = "torch-sim"
    model: str = Field(
        description="Import path of the model's class or of a function that makes it, for example "
        "torch_sim.models.lennard_jones:LennardJonesModel."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the model."
    )
    cutoff: float = Field(
        6.0, gt=0.0, description="Å; an atom without a neighbour within it is refused."
    )


EngineSettings = Annotated[
    ChgnetSettings
    | SevennetSettings
    | AseSettings
    | TorchSimSettings
    | SppSettings
    | ForceFieldSettings
    | MaceSettings
    | MattersimSettings
    | OrbSettings
    | MatglSettings
    | UpetSettings
    | GraceSettings
    | VaspSettings
    | EspressoSettings
    | Cp2kSettings
    | GpawSettings
    | GulpSettings
    | LammpsSettings,
    Field(discriminator="kind"),
]

_BUILDERS = {
    "chgnet": "nucleate.networks.engines.chgnet",
    "sevennet": "nucleate.networks.engines.sevennet",
    "ase": "nucleate.networks.engines.ase",
    "torch-sim": "nucleate.networks.engines.torch_sim",
    "spp": "nucleate.potentials.engines.spp",
    "force-field": "nucleate.potentials.engines.force_field",
    **dict.fromkeys(
        ("mace", "mattersim", "orb", "matgl", "upet", "grace"), "nucleate.networks.engines.mlip"
    ),
    **dict.fromkeys(
        ("vasp", "espresso", "cp2k", "gpaw", "gulp", "lammps"),
        "nucleate.programs.programs",
    ),
}
"""Module of each kind of engine; its ``build_relaxer(tier, pressure_gpa)`` makes the relaxer."""


class Promotion(_Settings):
    """Which crystals of a tier go on to the next one; all limits given must hold."""

    best: int | None = Field(None, ge=1, description="Only the n of lowest enthalpy so far.")
    within_ev_per_atom: float | None = Field(
        None, ge=0.0, description="Only those within this enthalpy of the best so far."
    )
    fraction: float | None = Field(
        None, gt=0.0, le=1.0, description="Only the best fraction of those relaxed so far."
    )


class Guards(_Settings):
    """Limits beyond which a relaxation has failed."""

    volume_ratio: tuple[float, float] = Field(
        (0.2, 4.0), description="Smallest and largest volume, relative to the start."
    )
    shortest_distance_ang: float = Field(0.4, ge=0.0, description="Å, between any two atoms.")
    shortest_contact: float = Field(
        0.6,
        ge=0.0,
        lt=1.0,
        description="Of the shortest contact of the two elements in known structures; a relaxation "
        "that continues or ends below it has fallen into an unphysical minimum of the model. "
        "0: not looked at.",
    )
    max_force_ev_per_ang: float = Field(1e4, gt=0.0, description="eV/Å, after the first few steps.")
    energy_window_ev_per_atom: tuple[float, float] = Field(
        (-40.0, 200.0), description="eV/atom; energies outside are a failure of the model."
    )
    max_depth_ev_per_atom: float = Field(
        3.0,
        gt=0.0,
        description="eV/atom below the model's energy of the composition alone, where it has one "
        "(chgnet); anything deeper is an unphysical minimum of the model and a failure.",
    )
    max_atoms: int | None = Field(None, ge=1, description="Larger crystals are refused.")

    _old_names = renamed_keys(
        {
            "shortest_distance": "shortest_distance_ang",
            "max_force": "max_force_ev_per_ang",
            "energy_window": "energy_window_ev_per_atom",
            "max_depth": "max_depth_ev_per_atom",
        }
    )


class TierSettings(_Settings):
    """One tier of the ladder."""

    name: str = Field("chgnet", min_length=1, description="Name in outputs.")
    engine: EngineSettings = Field(default_factory=ChgnetSettings)
    relax: bool = Field(True, description="False: energy of the geometry as it is.")
    relax_cell: bool = Field(True, description="Whether the cell moves too.")
    fix_symmetry: bool = Field(False, description="Keep the space group of the start.")
    pre_relax: bool = Field(
        True, description="Push overlapping atoms apart first, unless the symmetry is fixed."
    )
    rattle_ang: float = Field(
        0.0,
        ge=0.0,
        le=0.5,
        description="Å; standard deviation of a random displacement of every coordinate before "
        "the relaxation, unless the symmetry is fixed, so that symmetric starts leave saddle "
        "points.",
    )
    fmax_ev_per_ang: float = Field(0.05, gt=0.0, description="eV/Å, largest force at the end.")
    max_stress_gpa: float = Field(0.5, gt=0.0, description="GPa, largest stress at the end.")
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
        refuse_unsupported(self, type(self.engine))
        for key, value in defaults_of(type(self.engine)).items():
            if key not in self.model_fields_set:
                object.__setattr__(self, key, value)
        return self


def build_relaxer(tier: TierSettings, *, pressure_gpa: float = 0.0) -> Relaxer:
    """Return the relaxer of a tier, its model loaded.

    Raises
    ------
    MissingDependencyError
        If the engine's package is not installed.
    InputError
        If the engine's settings name something that does not exist.
    """
    return import_module(_BUILDERS[tier.engine.kind]).build_relaxer(tier, pressure_gpa)


def find_problems(tier: TierSettings, elements: Sequence[str]) -> list[str]:
    """Return what keeps a tier from running, found in seconds, each with the line to add.

    Parameters
    ----------
    tier
        Settings of the tier.
    elements
        Symbols of the elements that it must treat.
    """
    module = import_module(_BUILDERS[tier.engine.kind])
    finder = getattr(module, "problems", None)
    return [] if finder is None else finder(tier.engine, elements)
