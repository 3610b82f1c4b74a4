"""Settings of the machine-learned potentials that run through their packages' ASE calculators."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_DEVICE = "A device of torch, such as cpu or cuda:0."


class MlipSettings(BaseModel):
    """What all of them have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    model: str
    cutoff: float = Field(
        6.0, gt=0.0, description="Å; an atom without a neighbour within it is refused."
    )


class MaceSettings(MlipSettings):
    """MACE, by the package ``mace-torch``."""

    kind: Literal["mace"] = "mace"
    model: str = Field(
        "medium-mpa-0",
        description="Foundation model, which the package fetches when it is used first, or the "
        "path of a model file.",
    )
    head: str | None = Field(None, description="Head of a model that has several.")
    dtype: Literal["float32", "float64"] = Field("float64", description="Precision.")
    device: str = Field("cpu", description=_DEVICE)


class MattersimSettings(MlipSettings):
    """MatterSim, by the package ``mattersim``."""

    kind: Literal["mattersim"] = "mattersim"
    model: str = Field(
        "mattersim-v1.0.0-5m",
        description="mattersim-v1.0.0-1m or -5m, which the package fetches when it is used first, "
        "or the path of a checkpoint.",
    )
    device: str = Field("cpu", description=_DEVICE)


class OrbSettings(MlipSettings):
    """Orb, by the package ``orb-models``."""

    kind: Literal["orb"] = "orb"
    model: str = Field(
        "orb-v3-conservative-inf-omat",
        description="Name of a model of the package; it is fetched when it is used first.",
    )
    checkpoint: str | None = Field(None, description="Path of weights of your own for that model.")
    dtype: Literal["float32", "float64"] = Field("float64", description="Precision.")
    device: str = Field("cpu", description=_DEVICE)


class MatglSettings(MlipSettings):
    """M3GNet, TensorNet and others, by the package ``matgl``."""

    kind: Literal["matgl"] = "matgl"
    model: str = Field(
        "TensorNet-PES-MatPES-PBE-2025.2",
        description="Potential that the package fetches when it is used first, or the path of its "
        "folder.",
    )


class UpetSettings(MlipSettings):
    """PET models, by the package ``upet``."""

    kind: Literal["upet"] = "upet"
    model: str = Field(
        "pet-oam-l",
        description="Model that the package fetches when it is used first, or the path of a "
        "checkpoint.",
    )
    version: str = Field("latest", description="Version of the model.")
    dtype: Literal["float32", "float64"] = Field("float64", description="Precision.")
    device: str = Field("cpu", description=_DEVICE)


class GraceSettings(MlipSettings):
    """GRACE, by the package ``tensorpotential``, whose licence is for academic use."""

    kind: Literal["grace"] = "grace"
    model: str = Field(
        "GRACE-2L-OAM",
        description="Foundation model, which the package fetches when it is used first, or the "
        "path of a saved model.",
    )
