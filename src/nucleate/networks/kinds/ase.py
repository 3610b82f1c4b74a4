"""Any ASE calculator that gives energy, forces and stress, one crystal after another."""

from __future__ import annotations

from hashlib import sha256
from importlib import metadata
from typing import TYPE_CHECKING, Any

from pydantic import Field

from nucleate.energy.engine import Engine
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.keys import Cutoff, Name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.energy.engine import EngineContext
    from nucleate.networks.ase_model import AseModel


_EXAMPLE = "ase.calculators.emt:EMT"


class AseSettings(Engine):
    """Any ASE calculator that gives energy, forces and stress."""

    calculator: Name = Field(
        description="Import path of the class or function, for example ase.calculators.emt:EMT."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Keyword arguments of the calculator."
    )
    cutoff: Cutoff = 6.0

    def check_present(self) -> None:
        """Look for the package of the calculator; see the base."""
        from nucleate.networks.factory import check_path

        check_path("calculator", self.calculator, _EXAMPLE)

    def problems_by_trial(self, elements: Sequence[str]) -> list[str]:
        """Return the elements that the calculator has no parameters for; see the base."""
        from nucleate.networks.ase_model import refused_elements
        from nucleate.networks.factory import made_by_path

        try:
            calculator = made_by_path("calculator", self.calculator, self.options, _EXAMPLE)
        except (InputError, MissingDependencyError):
            return []
        refused = refused_elements(calculator, elements)
        return [
            f"calculator = {self.calculator!r} does not know {symbol} ({words}). Choose a model "
            "that does, or a field without it."
            for symbol, words in refused.items()
        ]

    def build(self, context: EngineContext) -> AseModel:
        """Return the calculator as a batched model.

        Raises
        ------
        InputError
            If the import path names no calculator, or the calculator does not take its options.
        MissingDependencyError
            If the module of the calculator is not installed.
        """
        from nucleate.networks.ase_model import AseModel
        from nucleate.networks.factory import made_by_path

        del context
        calculator = made_by_path("calculator", self.calculator, self.options, _EXAMPLE)
        _check_parameters(calculator, self.calculator, self.options)
        settings = sha256(repr(sorted(self.options.items())).encode()).hexdigest()[:12]
        level = LevelOfTheory("ase", metadata.version("ase"), self.calculator, settings=settings)
        return AseModel(calculator, level, self.cutoff)


def _check_parameters(calculator: Any, path: str, options: dict[str, Any]) -> None:
    """Raise InputError for what is no calculator, and for options that ASE would keep unused."""
    from ase.calculators.calculator import Calculator, FileIOCalculator

    if not hasattr(calculator, "get_potential_energy"):
        raise InputError(
            f"calculator = {path!r} gives a {type(calculator).__name__}, not an ASE calculator. "
            "Correct the path."
        )
    known = getattr(calculator, "default_parameters", {})
    if (
        not known
        or not isinstance(calculator, Calculator)
        or isinstance(calculator, FileIOCalculator)
    ):
        return
    unused = (set(options) & set(calculator.parameters or {})) - set(known)
    if unused:
        raise InputError(
            f"calculator = {path!r}: options = {options}: it has no parameter "
            f"{', '.join(sorted(unused))}. Use some of {', '.join(known)}."
        )
