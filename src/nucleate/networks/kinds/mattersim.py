"""MatterSim, by the package ``mattersim``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nucleate.networks.keys import Device, Name
from nucleate.networks.mlip import MlipSettings

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


class MattersimSettings(MlipSettings):
    """MatterSim, by the package ``mattersim``."""

    works: ClassVar[tuple[str, ...]] = ("yang2024",)
    module: ClassVar[str] = "mattersim"
    distribution: ClassVar[str] = "mattersim"

    model: Name = Field(
        "mattersim-v1.0.0-5m",
        description="mattersim-v1.0.0-1m or -5m, which the package fetches when it is used first, "
        "or the path of a checkpoint.",
    )
    device: Device = "cpu"

    def calculator(self) -> Calculator:
        """Return the calculator of the package."""
        from mattersim.forcefield import MatterSimCalculator

        return MatterSimCalculator(load_path=self.model, device=self.device)
