"""PET models, by the package ``upet``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.networks.keys import Device, Name
from nucleate.networks.mlip import MlipSettings

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


class UpetSettings(MlipSettings):
    """PET models, by the package ``upet``."""

    module: ClassVar[str] = "upet"
    distribution: ClassVar[str] = "upet"

    model: Name = Field(
        "pet-oam-l",
        description="Model that the package fetches when it is used first, or the path of a "
        "checkpoint.",
    )
    version: Name = Field("latest", description="Version of the model.")
    dtype: Literal["float32", "float64"] = Field("float64", description="Precision.")
    device: Device = "cpu"

    def calculator(self) -> Calculator:
        """Return the calculator of the package."""
        import torch
        from upet.ase import UPETCalculator

        common = {"dtype": getattr(torch, self.dtype), "device": self.device}
        if Path(self.model).is_file():
            return UPETCalculator(checkpoint_path=self.model, **common)
        return UPETCalculator(model=self.model, version=self.version, **common)
