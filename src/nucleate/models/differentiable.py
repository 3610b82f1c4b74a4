"""Network inputs as functions of positions and strain, for forces and stresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.models.graphs import wrapped
from nucleate.models.neighbours import nearest, within_radius
from nucleate.models.settings import HarmonicSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.models.settings import NetworkSettings


@dataclass(frozen=True, slots=True, eq=False)
class DifferentiableBatch:
    """A batch whose distances follow from leaves that gradients are taken to.

    Attributes
    ----------
    inputs : dict
        Inputs of a network's ``forward``.
    positions : Tensor, shape (n, 3)
        Cartesian positions of the wrapped atoms in Å.
    strain : Tensor, shape (n_graphs, 3, 3)
        Zero; positions and cell are multiplied by 1 + its symmetric part from the right.
    """

    inputs: dict[str, Any]
    positions: torch.Tensor
    strain: torch.Tensor


def differentiable_batch(
    crystals: Sequence[Crystal],
    settings: NetworkSettings,
    *,
    orbits: Sequence[NDArray[np.int64]] | None = None,
    dtype: torch.dtype = torch.float32,
) -> DifferentiableBatch:
    """Return inputs of a network for some crystals.

    Parameters
    ----------
    crystals
        Any crystals.
    settings
        Of the network.
    orbits
        First atom of the orbit of each atom, for each crystal: the network then sees one atom of
        each orbit. The gradients are those of the energy of a symmetric crystal only once they
        are averaged over its operations. For networks of the nearest neighbours alone.
    dtype
        Of the inputs.
    """
    sizes = np.array([crystal.n_atoms for crystal in crystals])
    graph = torch.from_numpy(np.repeat(np.arange(len(crystals)), sizes))
    scaled = [wrapped(crystal) for crystal in crystals]
    cells = torch.from_numpy(np.stack([crystal.cell for crystal in crystals])).to(dtype)
    start = np.concatenate(
        [inside @ crystal.cell for inside, crystal in zip(scaled, crystals, strict=True)]
    )
    positions = torch.from_numpy(start).to(dtype).requires_grad_()
    strain = torch.zeros((len(crystals), 3, 3), dtype=dtype, requires_grad=True)
    deform = torch.eye(3, dtype=dtype) + 0.5 * (strain + strain.transpose(1, 2))
    moved = torch.bmm(positions.unsqueeze(1), deform[graph]).squeeze(1)
    boxes = torch.bmm(cells, deform)
    inputs: dict[str, Any] = {"n_graphs": len(crystals)}
    first = np.cumsum(sizes) - sizes
    if isinstance(settings, HarmonicSettings):
        labels = orbits or [np.arange(size) for size in sizes]
        inputs |= _nearest_inputs(crystals, scaled, labels, first, settings, moved, boxes)
    else:
        inputs["numbers"] = torch.from_numpy(np.concatenate([c.numbers for c in crystals]))
        inputs["graph"] = graph
        inputs |= _radius_inputs(crystals, scaled, first, settings.r_cut, moved, boxes, graph)
    return DifferentiableBatch(inputs, positions, strain)


def _nearest_inputs(
    crystals: Sequence[Crystal],
    scaled: list[np.ndarray],
    orbits: Sequence[NDArray[np.int64]],
    first: np.ndarray,
    settings: HarmonicSettings,
    moved: torch.Tensor,
    boxes: torch.Tensor,
) -> dict[str, torch.Tensor]:
    columns: list[tuple[np.ndarray, ...]] = []
    n_rows = 0
    for crystal, inside, orbit, offset in zip(crystals, scaled, orbits, first, strict=True):
        seen, member, counts = np.unique(orbit, return_inverse=True, return_counts=True)
        index, shift, mask = nearest(
            crystal.cell, inside, seen, settings.neighbours + 1, settings.r_max
        )
        rows = n_rows + member[index[:, :-1]]
        n_rows += seen.size
        share = counts / crystal.n_atoms
        columns.append(
            (crystal.numbers[seen], seen + offset, rows, index + offset, shift, mask, share)
        )
    parts = [torch.from_numpy(np.concatenate(part)) for part in zip(*columns, strict=True)]
    numbers, centres, rows, near, shift, mask, share = parts
    graph = torch.from_numpy(
        np.repeat(np.arange(len(crystals)), [column[0].size for column in columns])
    )
    images = torch.bmm(shift.to(moved.dtype), boxes[graph])
    vectors = moved[near.long()] + images - moved[centres].unsqueeze(1)
    vectors = torch.where(mask.unsqueeze(-1), vectors, vectors.new_tensor([1.0, 0.0, 0.0]))
    length = vectors.norm(dim=-1)
    direction = (vectors / length.unsqueeze(-1))[:, :-1]
    length = torch.where(mask, length, length.new_tensor(settings.r_max))
    return {
        "numbers": numbers,
        "graph": graph,
        "weight": share.to(moved.dtype),
        "neighbours": rows,
        "distance": length[:, :-1],
        "direction": direction,
        "cutoff": length[:, -1],
    }


def _radius_inputs(
    crystals: Sequence[Crystal],
    scaled: list[np.ndarray],
    first: np.ndarray,
    r_cut: float,
    moved: torch.Tensor,
    boxes: torch.Tensor,
    graph: torch.Tensor,
) -> dict[str, torch.Tensor]:
    centres, near, shifts = [], [], []
    for crystal, inside, offset in zip(crystals, scaled, first, strict=True):
        for centre in range(crystal.n_atoms):
            atom, shift, _ = within_radius(crystal.cell, inside, centre, r_cut)
            centres.append(np.full(atom.size, centre + offset))
            near.append(atom + offset)
            shifts.append(shift)
    centre = torch.from_numpy(np.concatenate(centres))
    neighbour = torch.from_numpy(np.concatenate(near))
    shift = torch.from_numpy(np.concatenate(shifts)).to(moved.dtype)
    images = torch.bmm(shift.unsqueeze(1), boxes[graph[centre]]).squeeze(1)
    distance = (moved[neighbour] + images - moved[centre]).norm(dim=-1)
    return {"centre": centre, "neighbour": neighbour, "distance": distance}
