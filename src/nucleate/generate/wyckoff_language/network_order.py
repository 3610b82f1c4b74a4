"""Candidates in the order of likelihood and of energy by the graph network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.generate.distinct import distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.crystal.crystal import Crystal
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

    def of(
        self, members: Sequence[Member], allowed: Callable[[Crystal], bool] = lambda _: True
    ) -> list[Member]:
        """Return the distinct members, the best first, each with its ``network_energy``.

        The score of a member is ln *P* - min(*E* - *E*₀, 0.15 eV) / 0.045 eV + *k* ln 0.1, with the
        likelihood *P* of its assignment, its energy *E* per atom, the lowest one *E*₀, and the
        number *k* of members of the same assignment and lower energy.

        Parameters
        ----------
        members
            With ``log_likelihood``, ``wyckoff``, ``space_group_number`` and ``formula_units``.
        allowed
            Crystals for which it is False are passed over on the way down.
        """
        if not members:
            return []
        crystals = [member.crystal for member in members]
        if self.steps:
            from nucleate.generate.graph_search.descent import descend

            first = self.network.first()
            crystals, _ = descend(first, crystals, steps=self.steps, allowed=allowed)
        energies = np.round(self.network.energies(crystals), 6)
        above = np.minimum(energies - energies.min(), MOST_ENERGY)
        before: Counter[tuple[object, ...]] = Counter()
        scores = np.empty(len(members))
        for k in np.argsort(energies, kind="stable"):
            detail = members[k].detail
            key = detail["space_group_number"], detail["wyckoff"], detail["formula_units"]
            log_likelihood = float(detail["log_likelihood"])
            scores[k] = log_likelihood - above[k] / ENERGY_SCALE + before[key] * np.log(AGAIN)
            before[key] += 1
        order = np.argsort(-scores, kind="stable")
        ordered = [
            replace(
                members[k],
                crystal=crystals[k],
                detail={**members[k].detail, "network_energy": float(energies[k])}
                | ({"descent_steps": self.steps} if self.steps else {}),
            )
            for k in order
        ]
        return [ordered[k] for k in distinct([member.crystal for member in ordered])]
