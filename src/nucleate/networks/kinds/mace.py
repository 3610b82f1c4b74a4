"""MACE, by the package ``mace-torch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nucleate.networks.keys import Device, Name
from nucleate.networks.mlip import MlipSettings

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


class MaceSettings(MlipSettings):
    """MACE, by the package ``mace-torch``."""

    works: ClassVar[tuple[str, ...]] = ("batatia2023",)
    module: ClassVar[str] = "mace"
    distribution: ClassVar[str] = "mace-torch"

    model: Name = Field(
        "medium-mpa-0",
        description="Foundation model, which the package fetches when it is used first, or the "
        "path of a model file.",
    )
    head: Name | None = Field(None, description="Head of a model that has several.")
    dtype: Literal["float32", "float64"] = Field("float64", description="Precision.")
    device: Device = "cpu"

    def calculator(self) -> Calculator:
        """Return the calculator of the package."""
        from mace.calculators import MACECalculator, mace_mp

        common: dict[str, Any] = {"device": self.device, "default_dtype": self.dtype}
        if self.head is not None:
            common["head"] = self.head
        if Path(self.model).is_file():
            return MACECalculator(model_paths=self.model, **common)
        return mace_mp(model=self.model, **common)
