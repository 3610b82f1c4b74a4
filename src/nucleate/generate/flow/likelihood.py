"""How likely the flow finds a crystal: the way back to a random start; needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from nucleate.generate.flow.canonical import canonical
from nucleate.generate.flow.cells import expected_length, log_strain
from nucleate.generate.flow.sampling import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.generate.flow.network import FlowNetwork

STEPS, PROBES = 30, 2
"""Euler steps back, and random directions along which each divergence is taken."""


def log_likelihoods(
    network: FlowNetwork,
    crystals: Sequence[Crystal],
    *,
    steps: int = STEPS,
    probes: int = PROBES,
) -> list[float]:
    """Return the logarithms of the densities of crystals of one composition under the flow.

    A crystal is followed back in time to where it would have begun. The density there, that of
    random cells (positions are uniform), changes on the way by the divergence of the velocities
    (R. T. Q. Chen et al., NeurIPS 2018), of which each step takes an estimate along random
    directions (M. F. Hutchinson, Commun. Stat. Simul. 19, 433, 1990; W. Grathwohl et al., ICLR
    2019). The directions are the same for all crystals, so that they are compared fairly. Each
    crystal is first brought into its canonical description, so that the value does not depend on
    how it was written.

    Parameters
    ----------
    network
        The vector field, without haste.
    crystals
        Of the same atoms.
    steps
        Euler steps.
    probes
        Directions of each step.

    Returns
    -------
    list of float
        Per unit of log-strain (six numbers) and of fractional coordinates; NaN for a crystal that
        has no Niggli cell.
    """
    found = [float("nan")] * len(crystals)
    known = {place: cell for place, crystal in enumerate(crystals) if (cell := _canonical(crystal))}
    places = list(known)
    for first in range(0, len(places), AT_ONCE):
        part = places[first : first + AT_ONCE]
        filled = [known[place] for place in part + [part[0]] * (AT_ONCE - len(part))]
        for place, value in zip(part, _of_batch(network, filled, steps, probes), strict=False):
            found[place] = float(value)
    return found


def _canonical(crystal: Crystal) -> Crystal | None:
    try:
        return canonical(crystal)
    except ValueError:
        return None


def _of_batch(
    network: FlowNetwork, crystals: Sequence[Crystal], steps: int, probes: int
) -> NDArray[np.float64]:
    numbers = crystals[0].numbers
    length = expected_length(numbers)
    species = torch.as_tensor(np.tile(numbers, (len(crystals), 1)))
    lengths = torch.full((len(crystals),), length)
    strain = _tensor([log_strain(crystal.cell / length) for crystal in crystals])
    scaled = _tensor([crystal.scaled for crystal in crystals])
    rng = np.random.default_rng(0)
    divergence = torch.zeros(len(crystals), dtype=torch.float64)
    for step in range(steps):
        time = torch.full((len(crystals),), 1.0 - (step + 0.5) / steps)
        strain.requires_grad_()
        scaled.requires_grad_()
        to_strain, move = network(species, lengths, strain, scaled, time)
        for _ in range(probes):
            one, other = _signs(rng, strain), _signs(rng, scaled)
            slope_strain, slope_scaled = torch.autograd.grad(
                (to_strain * one).sum() + (move * other).sum(), (strain, scaled), retain_graph=True
            )
            found = (slope_strain * one).sum(1) + (slope_scaled * other).sum((1, 2))
            divergence += found.double() / (steps * probes)
        strain = (strain - to_strain / steps).detach()
        scaled = ((scaled - move / steps) % 1.0).detach()
    return _log_prior(network, strain.double().numpy()) - divergence.numpy()


def _log_prior(network: FlowNetwork, strain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log-density of random cells; that of random positions is 0."""
    mean, spread = network.prior_mean.double().numpy(), network.prior_spread.double().numpy()
    normal = np.linalg.solve(spread, (strain - mean).T)
    size = np.linalg.slogdet(spread)[1] + 3.0 * np.log(2.0 * np.pi)
    return -0.5 * (normal**2).sum(axis=0) - size


def _signs(rng: np.random.Generator, like: torch.Tensor) -> torch.Tensor:
    """Return a direction of signs, the same for every crystal of a batch."""
    return _tensor(rng.choice([-1.0, 1.0], like.shape[1:])).expand_as(like)


def _tensor(values: object) -> torch.Tensor:
    return torch.as_tensor(np.array(values), dtype=torch.float32)
