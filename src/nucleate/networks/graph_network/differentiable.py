"""Network inputs as functions of positions and strain, for forces and stresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.networks.graph_network.graphs import wrapped
from nucleate.networks.graph_network.neighbours import nearest, within_radius
from nucleate.networks.graph_network.settings import HarmonicSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.networks.graph_network.settings import NetworkSettings


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
    crystals: Sequence[Crystal], settings: NetworkSettings, *, dtype: torch.dtype = torch.float32
) -> DifferentiableBatch:
    """Return inputs of a network with all atoms of the crystals."""
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
    inputs: dict[str, Any] = {
        "numbers": torch.from_numpy(np.concatenate([c.numbers for c in crystals])),
        "graph": graph,
        "n_graphs": len(crystals),
    }
    first = np.cumsum(sizes) - sizes
    if isinstance(settings, HarmonicSettings):
        inputs |= _nearest_inputs(crystals, scaled, first, settings, moved, boxes, graph)
        inputs["weight"] = torch.from_numpy(np.repeat(1.0 / sizes, sizes)).to(dtype)
    else:
        inputs |= _radius_inputs(crystals, scaled, first, settings.r_cut, moved, boxes, graph)
    return DifferentiableBatch(inputs, positions, strain)


def _nearest_inputs(
    crystals: Sequence[Crystal],
    scaled: list[np.ndarray],
    first: np.ndarray,
    settings: HarmonicSettings,
    moved: torch.Tensor,
    boxes: torch.Tensor,
    graph: torch.Tensor,
) -> dict[str, torch.Tensor]:
    indices, shifts, masks = [], [], []
    for crystal, inside, offset in zip(crystals, scaled, first, strict=True):
        index, shift, mask = nearest(
            crystal.cell,
            inside,
            np.arange(crystal.n_atoms),
            settings.neighbours + 1,
            settings.r_max,
        )
        indices.append(index + offset)
        shifts.append(shift)
        masks.append(mask)
    near = torch.from_numpy(np.concatenate(indices).astype(np.int64))
    mask = torch.from_numpy(np.concatenate(masks))
    shift = torch.from_numpy(np.concatenate(shifts)).to(moved.dtype)
    images = torch.bmm(shift, boxes[graph])
    vectors = moved[near] + images - moved.unsqueeze(1)
    vectors = torch.where(mask.unsqueeze(-1), vectors, vectors.new_tensor([1.0, 0.0, 0.0]))
    length = vectors.norm(dim=-1)
    direction = (vectors / length.unsqueeze(-1))[:, :-1]
    length = torch.where(mask, length, length.new_tensor(settings.r_max))
    return {
        "neighbours": near[:, :-1].contiguous(),
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
