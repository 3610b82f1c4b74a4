"""Recognise the structure that a search is to find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.search.record import Record

WORTH_A_LOOK = 0.3
"""Largest fingerprint distance, volumes made equal, at which the exact matcher is asked."""

ENOUGH_ALONE = 0.06
"""Fingerprint distance that counts as found where the exact matcher is not installed."""

NEAR_EV_PER_ATOM = 0.002
"""eV/atom above the relaxed target up to which a structure that matches it is the target."""


@dataclass(frozen=True, slots=True, eq=False)
class Aim:
    """A target as the last tier of a run relaxes it.

    Attributes
    ----------
    tier : str
        Name of the tier.
    enthalpy : float
        eV/atom, or the unit of the tier.
    crystal : Crystal
        Its geometry there.
    """

    tier: str
    enthalpy: float
    crystal: Crystal

    def to_data(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return {
            "tier": self.tier,
            "enthalpy": self.enthalpy,
            "crystal": self.crystal.to_dict(),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Aim:
        """Undo :meth:`to_data`."""
        return cls(data["tier"], data["enthalpy"], Crystal.from_dict(data["crystal"]))


class Goal(Protocol):
    """What ends a run when a record reaches it."""

    def is_found(self, record: Record) -> bool:
        """Return whether a record reaches it."""
        ...

    def distance_in_words(self) -> str:
        """Return how near a run came that has not reached it."""
        ...


class Target:
    """A structure to stop at.

    A record is the target if its structure matches and is at most 2 meV/atom above the relaxed
    target by the last tier; lower ones count. Where the energy of the target is not known, the
    match decides alone. A crystal matches if pymatgen's ``StructureMatcher`` with its default
    tolerances says so. Fingerprints, taken at equal volume per atom, spare it most of the work;
    without pymatgen they decide alone.

    Parameters
    ----------
    crystal : Crystal
        The structure.
    aim : Aim, optional
        What the last tier makes of it.
    """

    def __init__(self, crystal: Crystal, aim: Aim | None = None) -> None:
        self._crystal = crystal
        self.aim = aim
        shapes = [crystal] if aim is None else [crystal, aim.crystal]
        self._shapes = [(shape, fingerprint(_at_unit_volume(shape))) for shape in shapes]
        self.closest: float | None = None
        self.lowest: float | None = None

    @property
    def crystal(self) -> Crystal:
        """The structure."""
        return self._crystal

    def with_aim(self, aim: Aim) -> Target:
        """Return the target with what the last tier makes of it."""
        return Target(self._crystal, aim)

    def is_found(self, record: Record) -> bool:
        """Return whether a record is the target; take note of how near it comes."""
        relaxed = record.relaxed if self.aim is None else record.relaxed_by(self.aim.tier)
        if relaxed is None:
            return False
        if self.aim is None:
            return self.is_met_by(relaxed.crystal)
        above = relaxed.enthalpy_per_atom - self.aim.enthalpy
        self.lowest = above if self.lowest is None else min(above, self.lowest)
        if self.closest is not None and self.closest <= above:
            return False
        if not self.is_met_by(relaxed.crystal):
            return False
        self.closest = above
        return above <= NEAR_EV_PER_ATOM

    def is_met_by(self, crystal: Crystal) -> bool:
        """Return whether a crystal matches the structure, as given or as relaxed."""
        print_ = fingerprint(_at_unit_volume(crystal))
        return any(_match(shape, own, crystal, print_) for shape, own in self._shapes)

    def distance_in_words(self) -> str:
        """Return how near a run came that has not found it; empty where nothing is known."""
        if self.aim is None or self.lowest is None:
            return ""
        lowest = f"the lowest structure is {_words(self.lowest)} the relaxed target"
        if self.closest is None:
            return f"the target was not found: nothing matches it, and {lowest}"
        return (
            f"the target was not found: the closest match is {_words(self.closest)} the relaxed "
            f"target, and {lowest}"
        )


def _words(above: float) -> str:
    return f"{1000.0 * abs(above):.1f} meV/atom {'above' if above >= 0.0 else 'below'}"


def _at_unit_volume(crystal: Crystal) -> Crystal:
    return crystal.replace(cell=crystal.cell * crystal.volume_per_atom ** (-1.0 / 3.0))


def _match(shape: Crystal, own: Any, crystal: Crystal, print_: Any) -> bool:
    distance = fingerprint_distance(own, print_)
    if distance > WORTH_A_LOOK:
        return False
    try:
        from pymatgen.analysis.structure_matcher import StructureMatcher
    except ImportError:
        return distance < ENOUGH_ALONE
    return bool(StructureMatcher().fit(shape.to_pymatgen(), crystal.to_pymatgen()))
