"""The energies of a map: what is known, what is found, and the hull of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.mapping.falls import Finding
from nucleate.mapping.field import key_of
from nucleate.mapping.hull import Hull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

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
    most_atoms : int
        In a cell.
    """

    def __init__(
        self,
        field: Field,
        sites: Sequence[Site],
        references: Sequence[RelaxedReference],
        most_atoms: int,
    ) -> None:
        self._most_atoms = most_atoms
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

    @property
    def searched_corners(self) -> list[str]:
        """Formulas of the corners whose energy comes from a search, as none is known."""
        return [
            member.formula
            for member, site in zip(self.field.members, self.sites, strict=False)
            if self.reference_of(member) is None and site.best is not None
        ]

    def update(self) -> None:
        """Take up what the sites have found since."""
        self._phases = self._hull = None

    def closed(self) -> list[int]:
        """Return the places of the compositions in which nothing more is searched.

        Corners with a known structure are among them: the energies are measured from it.
        """
        corners = range(len(self.field.members))
        return [
            place
            for place, site in enumerate(self.sites)
            if site.closed or (place in corners and self.reference_of(site.composition) is not None)
        ]

    def findings(self) -> list[Finding]:
        """Return what the map knows of each composition, with formation energies."""
        hull = self.hull()
        bases = -hull.formation_of(self.field.counts, np.zeros(len(self.sites)))
        return [
            self._finding(site, float(base)) for site, base in zip(self.sites, bases, strict=True)
        ]

    def _finding(self, site: Site, base: float) -> Finding:
        known = self.reference_of(site.composition)
        if not np.isfinite(base):
            return Finding(site.n_structures, is_known=known is not None)
        energies = [site.best] if site.best is not None else []
        energies += [known.energy] if known is not None else []
        units = self._most_atoms // site.composition.n_atoms
        return Finding(
            site.n_structures,
            min(energies) - base if energies else None,
            tuple((count, energy - base) for count, energy in site.history),
            min(len(site.sizes) / units, 1.0) if units > 0 else 1.0,
            known is not None,
        )

    def costs(self) -> NDArray[np.float64]:
        """Return the processor time of a structure at each composition, in seconds.

        Where none was tried it is that of the others for as many atoms.
        """
        atoms = self.field.counts.sum(axis=1).astype(np.float64)
        spent = np.array([site.core_s for site in self.sites])
        tried = np.array([site.n_structures for site in self.sites])
        known = (tried > 0) & (spent > 0.0)
        if not known.any():
            return atoms
        per_atom = spent[known].sum() / (tried * atoms)[known].sum()
        return np.where(known, spent / np.maximum(tried, 1), per_atom * atoms)

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
                    Phase(site.composition, lowest, site if site.best == lowest else None, known)
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
