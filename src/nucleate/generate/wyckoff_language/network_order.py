"""Candidates in the order of likelihood and of energy by the graph network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.generate.distinct import distinct
from nucleate.generate.graph_search.pool import energy_of, refine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.pool import Member
    from nucleate.networks.graph_network.network import GraphNetwork

ENERGY_SCALE = 0.045
"""eV/atom that count as much as a factor of e in likelihood; fitted on 116 entries of the ``val``
split that no match rate was measured on (docs/measurements/wyckoff-language.md)."""

MOST_ENERGY = 0.15
"""eV/atom above the lowest; more counts as this, since the network is at times far too low."""

AGAIN = 0.1
"""What the next candidate of an assignment counts for, relative to the one before it."""


@dataclass(frozen=True, slots=True, eq=False)
class NetworkOrder:
    """Orders candidates; moves them to lower energies of the network before, if that is asked for.

    Attributes
    ----------
    network : GraphNetwork
        Must know the elements.
    steps : int
        Of gradient descent, which does not keep the symmetry; 0 leaves the crystals as they are.
    """

    network: GraphNetwork
    steps: int = 0

    def of(self, members: Sequence[Member], space: SearchSpace) -> list[Member]:
        """Return the distinct members, the best first, each with its ``network_energy``.

        The score of a member is ln *P* - min(*E* - *E*₀, 0.15 eV) / 0.045 eV + *k* ln 0.1, with the
        likelihood *P* of its assignment, its energy *E* per atom, the lowest one *E*₀, and the
        number *k* of members of the same assignment and lower energy.

        Parameters
        ----------
        members
            With ``log_likelihood``, ``wyckoff``, ``space_group_number`` and ``formula_units``.
        space
            Crystals that it rejects are passed over on the way down.
        """
        if not members:
            return []
        moved = self._moved(members, space)
        energies = np.array([energy_of(member) for member in moved])
        above = np.minimum(energies - energies.min(), MOST_ENERGY)
        before: Counter[tuple[object, ...]] = Counter()
        scores = np.empty(len(moved))
        for k in np.argsort(energies, kind="stable"):
            detail = moved[k].detail
            key = detail["space_group_number"], detail["wyckoff"], detail["formula_units"]
            log_likelihood = float(detail["log_likelihood"])
            scores[k] = log_likelihood - above[k] / ENERGY_SCALE + before[key] * np.log(AGAIN)
            before[key] += 1
        ordered = [moved[k] for k in np.argsort(-scores, kind="stable")]
        return [ordered[k] for k in distinct([member.crystal for member in ordered])]

    def _moved(self, members: Sequence[Member], space: SearchSpace) -> list[Member]:
        """Return the members with their energies, after the descent."""
        if self.steps:
            return refine(list(members), space, self.network, self.steps)
        energies = self.network.energies([member.crystal for member in members])
        return [
            replace(member, detail={**member.detail, "network_energy": round(float(energy), 6)})
            for member, energy in zip(members, energies, strict=True)
        ]
