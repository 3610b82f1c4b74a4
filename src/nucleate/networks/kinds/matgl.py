"""M3GNet, TensorNet and others, by the package ``matgl``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nucleate.networks.keys import Name
from nucleate.networks.mlip import MlipSettings

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


class MatglSettings(MlipSettings):
    """M3GNet, TensorNet and others, by the package ``matgl``."""

    module: ClassVar[str] = "matgl"
    distribution: ClassVar[str] = "matgl"

    model: Name = Field(
        "TensorNet-PES-MatPES-PBE-2025.2",
        description="Potential that the package fetches when it is used first, or the path of its "
        "folder.",
    )

    def calculator(self) -> Calculator:
        """Return the calculator of the package."""
        import matgl
        from matgl.ext.ase import PESCalculator

        model = matgl.load_model(self.model)  # pyright: ignore[reportAttributeAccessIssue]
        return PESCalculator(model, stress_unit="eV/A3")
