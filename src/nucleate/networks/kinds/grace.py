"""GRACE, by the package ``tensorpotential``, whose licence is for academic use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nucleate.networks.keys import Name
from nucleate.networks.mlip import MlipSettings

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


class GraceSettings(MlipSettings):
    """GRACE, by the package ``tensorpotential``, whose licence is for academic use."""

    works: ClassVar[tuple[str, ...]] = ("bochkarev2024",)
    module: ClassVar[str] = "tensorpotential"
    distribution: ClassVar[str] = "tensorpotential"

    model: Name = Field(
        "GRACE-2L-OAM",
        description="Foundation model, which the package fetches when it is used first, or the "
        "path of a saved model.",
    )

    def calculator(self) -> Calculator:
        """Return the calculator of the package."""
        from tensorpotential.calculator import TPCalculator, grace_fm

        if Path(self.model).exists():
            return TPCalculator(model=self.model)
        return grace_fm(self.model)
