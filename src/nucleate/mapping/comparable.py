"""Which runs count in the hull of a map: those of its model, at its pressure.

The run of a composition may have been begun by hand, or copied from elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.mapping.level import is_of_the_level
from nucleate.run.folder import flat, stored_input

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Standard:
    """What a run must have computed for its energies to count.

    Attributes
    ----------
    tier : dict
        The last tier of the map, as its input has it.
    pressure_gpa : float
    """

    tier: Mapping[str, Any]
    pressure_gpa: float

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Standard:
        """Return that of the input of a map."""
        return cls(
            stored_input({"input": data})["tier"][-1], data["field"].get("pressure_gpa", 0.0)
        )

    @property
    def name(self) -> str:
        """Name of the tier."""
        return str(self.tier["name"])

    def check(self, meta: Mapping[str, Any], composition: Composition, folder: Path) -> None:
        """Check that a run may count.

        Keys that either input lacks, which is of another version then, are not compared.

        Parameters
        ----------
        meta
            Of its store.
        composition
            That of which it should be.
        folder
            Where it is.

        Raises
        ------
        InputError
            If it is of another composition, model or pressure; the message names both values.
        """
        if Composition.from_formula(str(meta["formula"])).counts != composition.counts:
            raise InputError(
                f"{folder} holds a run of {meta['formula']}, not of {composition.formula}."
            )
        data = stored_input(meta)
        tiers = {str(tier["name"]): tier for tier in data["tier"]}
        if self.name not in tiers:
            raise InputError(
                f"{folder} holds a run without the tier {self.name!r} of the map (it has "
                f"{', '.join(map(repr, tiers))})."
            )
        now, wanted = flat(tiers[self.name]), flat(self.tier)
        for key in sorted(now.keys() & wanted.keys()):
            if is_of_the_level(key) and now[key] != wanted[key]:
                raise InputError(_another(f"tier.{key}", now[key], wanted[key], folder))
        pressure = data["problem"].get("pressure_gpa", 0.0)
        if pressure != self.pressure_gpa:
            raise InputError(_another("problem.pressure_gpa", pressure, self.pressure_gpa, folder))


def _another(key: str, found: object, wanted: object, folder: Path) -> str:
    return (
        f"{folder} holds a run with {key} = {found!r}, and the map has {wanted!r}: energies of "
        "both must not meet in one hull."
    )
