"""Orb, by the package ``orb-models``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.networks.keys import Device, Name
from nucleate.networks.mlip import MlipSettings

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


class OrbSettings(MlipSettings):
    """Orb, by the package ``orb-models``."""

    works: ClassVar[tuple[str, ...]] = ("neumann2024",)
    module: ClassVar[str] = "orb_models"
    distribution: ClassVar[str] = "orb-models"

    model: Name = Field(
        "orb-v3-conservative-inf-omat",
        description="Name of a model of the package; it is fetched when it is used first.",
    )
    checkpoint: Name | None = Field(None, description="Path of weights of your own for that model.")
    dtype: Literal["float32", "float64"] = Field("float64", description="Precision.")
    device: Device = "cpu"

    def calculator(self) -> Calculator:
        """Return the calculator of the package."""
        from orb_models.forcefield import pretrained

        precision = "float64" if self.dtype == "float64" else "float32-highest"
        arguments = {"device": self.device, "precision": precision, "compile": False}
        if self.checkpoint is not None:
            arguments["weights_path"] = self.checkpoint
        loaded = pretrained.ORB_PRETRAINED_MODELS[self.model](**arguments)
        if isinstance(loaded, tuple):  # orb-models 0.6 and later
            from orb_models.forcefield.inference.calculator import ORBCalculator

            return ORBCalculator(*loaded, device=self.device)
        from orb_models.forcefield.calculator import ORBCalculator

        return ORBCalculator(loaded, device=self.device)
