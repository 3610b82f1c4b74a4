"""The energies of a map: what is known, what is found, and the hull of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.mapping.field import key_of
from nucleate.mapping.hull import Hull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.composition import Composition
    from nucleate.crystal.crystal import Crystal
    from nucleate.mapping.field import Field
    from nucleate.mapping.site import Site


@dataclass(frozen=True, slots=True, eq=False)
class RelaxedReference:
    """A known compound that the last tier of the map has relaxed.

    Attributes
    ----------
    name : str
        Such as ``mp-4163``, or the path of a file.
    composition : Composition
    energy : float
        Enthalpy in eV/atom.
    crystal : Crystal
        As relaxed.
    """

    name: str
    composition: Composition
    energy: float
    crystal: Crystal


@dataclass(frozen=True, slots=True, eq=False)
class Phase:
    """The lowest structure at one composition.

    Attributes
    ----------
    composition : Composition
    energy : float
        Enthalpy in eV/atom.
    site : Site or None
        The composition of the map whose search has it; None for a known compound that is lower
        than all that was found, or that is not of the grid.
    reference : RelaxedReference or None
        The lowest known compound of this composition.
    """

    composition: Composition
    energy: float
    site: Site | None = None
    reference: RelaxedReference | None = None

    @property
    def is_known(self) -> bool:
        """Whether a known compound has this energy, within 1 meV/atom, or a lower one."""
        return self.reference is not None and self.reference.energy <= self.energy + 1e-3


class Energies:
    """The lowest energies of a field.

    Parameters
    ----------
    field : Field
        The compositions.
    sites : sequence of Site
        Their runs, in the same order.
    references : sequence of RelaxedReference
        Known compounds.
    """

    def __init__(
        self, field: Field, sites: Sequence[Site], references: Sequence[RelaxedReference]
    ) -> None:
        self.field = field
        self.sites = tuple(sites)
        self.references = tuple(references)
        self._lowest_known: dict[str, RelaxedReference] = {}
        for item in sorted(references, key=lambda item: item.energy):
            self._lowest_known.setdefault(key_of(item.composition.counts), item)
        self._phases: tuple[Phase, ...] | None = None
        self._hull: Hull | None = None

    def reference_of(self, composition: Composition) -> RelaxedReference | None:
        """Return the lowest known compound of a composition."""
        return self._lowest_known.get(key_of(composition.counts))

    def update(self) -> None:
        """Take up what the sites have found since."""
        self._phases = self._hull = None

    def phases(self) -> tuple[Phase, ...]:
        """Return the lowest structure of every composition that has one."""
        if self._phases is None:
            self._phases = tuple(self._of_sites()) + tuple(self._of_others())
        return self._phases

    def _of_sites(self) -> list[Phase]:
        found = []
        for site in self.sites:
            known = self.reference_of(site.composition)
            energies = [site.best] if site.best is not None else []
            energies += [known.energy] if known is not None else []
            if energies:
                lowest = min(energies)
                found.append(
                    Phase(
                        site.composition, lowest, site if site.best == lowest else None, known
                    )
                )
        return found

    def _of_others(self) -> list[Phase]:
        own = {key_of(site.composition.counts) for site in self.sites}
        return [
            Phase(item.composition, item.energy, None, item)
            for key, item in self._lowest_known.items()
            if key not in own
        ]

    def hull(self) -> Hull:
        """Return the hull of the phases."""
        if self._hull is None:
            phases = self.phases()
            self._hull = Hull.build(
                self.field.member_counts,
                [member.formula for member in self.field.members],
                [self.field.counts_of(item.composition) for item in phases],
                [item.energy for item in phases],
                [item.composition.formula for item in phases],
            )
        return self._hull
