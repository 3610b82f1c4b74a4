"""Neighbour graphs of many crystals, packed, cached on disk and taken in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nucleate.networks.graph_network.neighbours import nearest, within_radius
from nucleate.networks.graph_network.settings import HarmonicSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.networks.graph_network.settings import MegnetSettings, NetworkSettings

ORBIT_TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class NearestGraphs:
    """Nearest-neighbour graphs of crystals, one after the other.

    Attributes
    ----------
    start : ndarray of int64, shape (n_crystals + 1,)
        First atom of each crystal.
    numbers : ndarray of uint8, shape (n,)
        Atomic numbers.
    weight : ndarray of float32, shape (n,)
        Weight of the atom in the average over its crystal: the size of its orbit over the number of
        atoms.
    neighbours : ndarray of int16, shape (n, k)
        Neighbours as indices within the crystal.
    distance : ndarray of float32, shape (n, k + 1)
        Å; the last is that of the first neighbour left out, where messages reach zero.
    direction : ndarray of float32 (float16 in the cache), shape (n, k, 3)
        Unit vectors.
    """

    start: NDArray[np.int64]
    numbers: NDArray[np.uint8]
    weight: NDArray[np.float32]
    neighbours: NDArray[np.int16]
    distance: NDArray[np.float32]
    direction: NDArray[np.floating]

    def __len__(self) -> int:
        return self.start.size - 1

    def fractions(self, elements: int) -> NDArray[np.float64]:
        """Return the atomic fractions of each crystal, shape (n_crystals, elements)."""
        return _fractions(self.start, self.numbers, self.weight, elements)

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file."""
        arrays = {name: getattr(self, name) for name in self.__slots__}
        _save(path, arrays | {"direction": self.direction.astype(np.float16)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote."""
        return cls(**_load(path))

    @classmethod
    def build(
        cls,
        crystals: Iterable[Crystal],
        settings: HarmonicSettings,
        *,
        orbits: bool = False,
        labels: Iterable[NDArray[np.int64]] | None = None,
    ) -> Self:
        """Build the graphs, with one atom of each symmetry orbit if `orbits`.

        Where the orbits are known already, `labels` gives the first atom of each atom's orbit.

        Atoms of an orbit have the same state in an invariant network, so the orbit's size as
        a weight gives the energy of the whole crystal (to the 0.01 Å of the symmetry search)
        at a fraction of the cost. Gradients need all atoms.
        """
        if labels is None:
            label = _orbits if orbits else lambda crystal: np.arange(crystal.n_atoms)
            parts = [_nearest_graph(crystal, settings, label(crystal)) for crystal in crystals]
        else:
            parts = [
                _nearest_graph(crystal, settings, orbit)
                for crystal, orbit in zip(crystals, labels, strict=True)
            ]
        if not parts:
            return cls(
                np.zeros(1, np.int64),
                np.zeros(0, np.uint8),
                np.zeros(0, np.float32),
                np.zeros((0, settings.neighbours), np.int16),
                np.zeros((0, settings.neighbours + 1), np.float32),
                np.zeros((0, settings.neighbours, 3), np.float32),
            )
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        return cls(_starts(part[0].size for part in parts), *columns)


@dataclass(frozen=True, slots=True, eq=False)
class RadiusGraphs:
    """Graphs of all neighbours within a radius, one crystal after the other.

    Attributes
    ----------
    start : ndarray of int64, shape (n_crystals + 1,)
        First atom of each crystal.
    numbers : ndarray of uint8, shape (n,)
        Atomic numbers.
    edge_start : ndarray of int64, shape (n_crystals + 1,)
        First edge of each crystal.
    ends : ndarray of int16, shape (n_edges, 2)
        Centre and neighbour as indices within the crystal.
    distance : ndarray of float32, shape (n_edges,)
        Å.
    """

    start: NDArray[np.int64]
    numbers: NDArray[np.uint8]
    edge_start: NDArray[np.int64]
    ends: NDArray[np.int16]
    distance: NDArray[np.float32]

    def __len__(self) -> int:
        return self.start.size - 1

    def fractions(self, elements: int) -> NDArray[np.float64]:
        """Return the atomic fractions of each crystal, shape (n_crystals, elements)."""
        sizes = np.diff(self.start)
        return _fractions(self.start, self.numbers, np.repeat(1.0 / sizes, sizes), elements)

    def save(self, path: Path) -> None:
        """Write an ``.npz`` file."""
        _save(path, {name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote."""
        return cls(**_load(path))

    @classmethod
    def build(cls, crystals: Iterable[Crystal], settings: MegnetSettings) -> Self:
        """Build the graphs."""
        numbers, ends, distances = [], [], []
        for crystal in crystals:
            pairs, distance = _radius_graph(crystal, settings.r_cut)
            numbers.append(crystal.numbers.astype(np.uint8))
            ends.append(pairs)
            distances.append(distance)
        return cls(
            _starts(part.size for part in numbers),
            _joined(numbers, (0,), np.uint8),
            _starts(part.size for part in distances),
            _joined(ends, (0, 2), np.int16),
            _joined(distances, (0,), np.float32),
        )


Graphs = NearestGraphs | RadiusGraphs


def build_graphs(
    crystals: Sequence[Crystal] | Iterable[Crystal],
    settings: NetworkSettings,
    *,
    orbits: bool = False,
) -> Graphs:
    """Build the graphs that a network with these settings reads."""
    if isinstance(settings, HarmonicSettings):
        return NearestGraphs.build(crystals, settings, orbits=orbits)
    return RadiusGraphs.build(crystals, settings)


def load_graphs(path: Path, settings: NetworkSettings) -> Graphs:
    """Read the cached graphs of a network with these settings."""
    if isinstance(settings, HarmonicSettings):
        return NearestGraphs.load(path)
    return RadiusGraphs.load(path)


def joined(one: Graphs, other: Graphs) -> Graphs:
    """Return the graphs of two packs of the same kind as one pack."""
    columns = {}
    for name in one.__slots__:
        first, second = getattr(one, name), getattr(other, name)
        if name in ("start", "edge_start"):
            columns[name] = np.concatenate([first, first[-1] + second[1:]])
        else:
            columns[name] = np.concatenate([first, second])
    return type(one)(**columns)


def wrapped(crystal: Crystal) -> NDArray[np.float64]:
    """Return the fractional coordinates in [0, 1), shape (n_atoms, 3)."""
    scaled = crystal.scaled - np.floor(crystal.scaled)
    scaled[scaled >= 1.0] = 0.0
    return scaled


def _nearest_graph(
    crystal: Crystal, settings: HarmonicSettings, orbit: NDArray[np.int64]
) -> tuple[NDArray[Any], ...]:
    scaled = wrapped(crystal)
    centres, member, counts = np.unique(orbit, return_inverse=True, return_counts=True)
    centres = centres.astype(np.int64)
    index, shifts, mask = nearest(
        crystal.cell, scaled, centres, settings.neighbours + 1, settings.r_max
    )
    vectors = (scaled[index] + shifts - scaled[centres][:, None]) @ crystal.cell
    distance = np.where(mask, np.linalg.norm(vectors, axis=-1), settings.r_max)
    direction = vectors / np.maximum(distance, 1e-9)[..., None]
    return (
        crystal.numbers[centres].astype(np.uint8),
        (counts / crystal.n_atoms).astype(np.float32),
        member[index[:, :-1]].astype(np.int16),
        distance.astype(np.float32),
        direction[:, :-1].astype(np.float32),
    )


def _orbits(crystal: Crystal) -> NDArray[np.int64]:
    """Return a label of the symmetry orbit of each atom."""
    from nucleate.crystal.symmetry import symmetry_dataset

    found = symmetry_dataset(crystal, ORBIT_TOLERANCE)
    return np.arange(crystal.n_atoms) if found is None else np.asarray(found.orbits)


def _radius_graph(crystal: Crystal, r_cut: float) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    scaled = wrapped(crystal)
    ends, distances = [], []
    for centre in range(crystal.n_atoms):
        atom, _, distance = within_radius(crystal.cell, scaled, centre, r_cut)
        ends.append(np.stack([np.full_like(atom, centre), atom], axis=1))
        distances.append(distance)
    return np.concatenate(ends).astype(np.int16), np.concatenate(distances).astype(np.float32)


def _fractions(
    start: NDArray[np.int64], numbers: NDArray[Any], weight: NDArray[Any], elements: int
) -> NDArray[np.float64]:
    sizes = np.diff(start)
    crystal = np.repeat(np.arange(sizes.size), sizes)
    fractions = np.zeros((sizes.size, elements))
    np.add.at(fractions, (crystal, numbers.astype(np.int64)), weight)
    return fractions


def _starts(sizes: Iterable[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(list(sizes))]).astype(np.int64)


def _joined(parts: list[NDArray[Any]], empty: tuple[int, ...], dtype: type) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(empty, dtype)


def _save(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    part = path.with_suffix(".part.npz")
    np.savez(part, allow_pickle=False, **arrays)
    part.replace(path)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
