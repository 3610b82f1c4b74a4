"""The particles of a swarm: who belongs to it, and whose turn it is."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.search.swarming.particle import Particle

if TYPE_CHECKING:
    import numpy as np

    from nucleate.crystal.crystal import Crystal

    Place = tuple[int, float, int]
    """Tier, counted downwards from 0, enthalpy in eV/atom, number."""


class Particles:
    """A limited number of particles that differ by their fingerprints.

    A particle has the number of the record that it began with. A new structure joins the swarm
    while there is room, and takes the place of the highest particle where it is lower.

    Parameters
    ----------
    size : int
        Largest number of particles.
    patience : int
        Steps without a lower structure after which a particle leaves.
    diversity : float
        Least fingerprint distance between the best structures of two particles.
    """

    def __init__(self, size: int, patience: int, diversity: float) -> None:
        self._size = size
        self._patience = patience
        self._diversity = diversity
        self._members: dict[int, Particle] = {}
        self._prints: dict[int, np.ndarray] = {}
        self._waiting: deque[int] = deque()

    def __len__(self) -> int:
        return len(self._members)

    def waiting(self) -> list[tuple[int, Particle]]:
        """Return the particles without a trial, the one that has waited longest first."""
        return [(name, self._members[name]) for name in self._waiting]

    def begin(self, name: int, start: Crystal) -> None:
        """Take note of the next start of a particle."""
        if name in self._members:
            self._members[name].move(start)
            if name in self._waiting:
                self._waiting.remove(name)

    def end(self, name: int, relaxed: Crystal | None, place: Place | None) -> bool:
        """Take note of what the start of a particle relaxed to; return whether it is its best."""
        particle = self._members.get(name)
        if particle is None:
            return False
        self._waiting.append(name)
        if relaxed is not None and place is not None and particle.improve(relaxed, place):
            self._prints[name] = fingerprint(relaxed)
            self._part(name)
            return True
        if relaxed is None:
            particle.fruitless += 1
        if particle.fruitless >= self._patience:
            self._leave(name)
        return False

    def join(
        self,
        name: int,
        start: Crystal,
        relaxed: Crystal,
        place: Place,
        *,
        rng: np.random.Generator,
    ) -> bool:
        """Let a new structure become a particle where it may; return whether it did."""
        own = fingerprint(relaxed)
        if any(
            fingerprint_distance(own, other) < self._diversity for other in self._prints.values()
        ):
            return False
        if len(self._members) >= self._size:
            highest = max(self._members, key=lambda key: self._members[key].place)
            if place >= self._members[highest].place:
                return False
            self._leave(highest)
        self._members[name] = Particle.founded(start, relaxed, place, rng=rng)
        self._prints[name] = own
        self._waiting.append(name)
        return True

    def _part(self, name: int) -> None:
        """Let the higher one leave of two particles that have become the same."""
        own = self._prints[name]
        for other in list(self._members):
            is_near = fingerprint_distance(own, self._prints[other]) < self._diversity
            if other == name or not is_near:
                continue
            if self._members[other].place < self._members[name].place:
                self._leave(name)
                return
            self._leave(other)

    def _leave(self, name: int) -> None:
        del self._members[name], self._prints[name]
        if name in self._waiting:
            self._waiting.remove(name)
