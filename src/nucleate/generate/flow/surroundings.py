"""What each pair of atoms of a periodic crystal sees of each other: all images within a cut-off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from nucleate.generate.flow.cells import COLUMNS, ROWS, WEIGHTS

if TYPE_CHECKING:
    from torch import Tensor

NEAREST, FARTHEST = 0.3, 2.1
"""Centres of the first and last Gaussian, relative to the usual shortest contact."""

MOST_IMAGES = 3
"""Cells to each side, at most; the cut-off of a thinner cell is shorter."""

SAME_PLACE = 1e-4
"""Å; an atom does not see itself."""

DIRECTIONS = 9
"""Numbers of a direction: x, y, z, and the six of its square."""


def wrapped(difference: Tensor) -> Tensor:
    """Return fractional differences in [-½, ½)."""
    return difference - torch.floor(difference + 0.5)


def pair_features(
    cells: Tensor, scaled: Tensor, contacts: Tensor, *, radial: int, cutoff: float
) -> Tensor:
    """Return sums over the images of each pair of atoms, shape (b, n, n, radial, 9).

    Of every image of atom j within the cut-off of atom i: Gaussians in its distance, times its
    direction (three numbers) and the square of its direction (six numbers). The sums do not depend
    on how the atoms are wrapped and are smooth: an envelope falls to zero at the cut-off, and all
    images within it are counted.

    Parameters
    ----------
    cells
        Rows are the lattice vectors in Å, shape (b, 3, 3).
    scaled
        Fractional coordinates, shape (b, n, 3).
    contacts
        Usual shortest contact of each pair in Å, shape (b, n, n).
    radial
        Number of Gaussians.
    cutoff
        Å.
    """
    inverse = torch.linalg.inv(cells)
    heights = 1.0 / inverse.norm(dim=1)  # between the faces of the cell
    limits = torch.clamp((MOST_IMAGES + 0.5) * heights.amin(1), max=cutoff)
    reach = torch.ceil(limits[:, None] / heights - 0.5).amax(0)
    ranges = [
        torch.arange(-k, k + 1, dtype=cells.dtype, device=cells.device)
        for k in reach.int().tolist()
    ]
    images = torch.cartesian_prod(*ranges)
    difference = wrapped(scaled[:, None] - scaled[:, :, None])
    vectors = (difference[..., None, :] + images) @ cells[:, None, None]
    distances = vectors.norm(dim=-1)
    near = (distances < limits[:, None, None, None]) & (distances > SAME_PLACE)
    b, i, j, image = near.nonzero(as_tuple=True)
    vectors, distances = vectors[b, i, j, image], distances[b, i, j, image]
    envelope = 0.5 * (1.0 + torch.cos(torch.pi * distances / limits[b]))
    centres = torch.linspace(NEAREST, FARTHEST, radial, dtype=cells.dtype, device=cells.device)
    step = (FARTHEST - NEAREST) / max(radial - 1, 1)
    relative = distances / contacts[b, i, j]
    gaussians = torch.exp(-0.5 * ((relative[:, None] - centres) / step) ** 2) * envelope[:, None]
    directions = vectors / distances[:, None]
    weights = torch.as_tensor(WEIGHTS, dtype=cells.dtype, device=cells.device)
    squares = directions[:, ROWS] * directions[:, COLUMNS] * weights
    seen = gaussians[:, :, None] * torch.cat([directions, squares], -1)[:, None]
    n = scaled.shape[1]
    sums = seen.new_zeros(scaled.shape[0] * n * n, radial, DIRECTIONS)
    sums = sums.index_add(0, (b * n + i) * n + j, seen)
    return sums.view(-1, n, n, radial, DIRECTIONS)
