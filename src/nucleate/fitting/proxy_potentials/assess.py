"""Acceptance of a library on structures it never saw."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.fitting.proxy_potentials.decoys import random_decoy, swapped_decoy
from nucleate.potentials.basis import context_of
from nucleate.potentials.model import Criteria

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.proxy_potentials.structures import Sample
    from nucleate.potentials.spp import SppLibrary

SPP_CRITERIA = Criteria(fmax=0.0, max_stress=0.0, rms_gradient=0.1, max_steps=1000)


def group_of(crystal: Crystal) -> str:
    """Return ``oxides and halides``, ``other compounds`` or ``metals``."""
    return ("oxides and halides", "other compounds", "metals")[context_of(crystal.numbers)]


def assess(
    library: SppLibrary, samples: Sequence[Sample], *, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Return the figures of section "What a library must do" of the documentation, by group.

    Parameters
    ----------
    library
        What to test.
    samples
        Structures held out of the derivation.
    rng
        Draws the decoys.
    """
    groups: dict[str, list[Crystal]] = {}
    for sample in samples:
        groups.setdefault(group_of(sample.crystal), []).append(sample.crystal)
    return {name: _assess_group(library, crystals, rng) for name, crystals in groups.items()}


def _assess_group(
    library: SppLibrary, crystals: Sequence[Crystal], rng: np.random.Generator
) -> dict[str, float]:
    volumes, moves, light, ended = [], [], [], 0
    true, swapped, random, swap_wins, random_wins = [], [], [], [], []
    for crystal in crystals:
        model = library.model(crystal.numbers)
        end = model.relax(crystal, SPP_CRITERIA)
        if not end.failure:
            ended += 1
            volumes.append(end.crystal.volume / crystal.volume - 1.0)
            moves.append(largest_displacement(crystal, end.crystal))
            light.append(bool({1, 6, 7} & {int(z) for z in crystal.numbers}))
        energy = model.evaluate(crystal).energy / crystal.n_atoms
        true.append(energy)
        for decoy, energies, wins in (
            (swapped_decoy(crystal, rng=rng), swapped, swap_wins),
            (random_decoy(crystal, rng=rng), random, random_wins),
        ):
            if decoy is not None:
                energies.append(model.evaluate(decoy).energy / crystal.n_atoms)
                wins.append(float(energy < energies[-1]))
    stays = np.array(moves) < 0.3
    heavy = ~np.array(light, dtype=bool)
    return {
        "structures": len(crystals),
        "relaxed": ended / max(len(crystals), 1),
        "median_abs_volume_change": float(np.median(np.abs(volumes))),
        "median_volume_change": float(np.median(volumes)),
        "share_moved_under_0.3": float(np.mean(stays)) * ended / len(crystals),
        "share_moved_under_0.3_without_H_C_N": float(np.mean(stays[heavy])) if heavy.any() else 0.0,
        "median_move": float(np.median(moves)),
        "auc_swapped": auc(np.array(true), np.array(swapped)),
        "auc_random": auc(np.array(true), np.array(random)),
        "paired_swapped": float(np.mean(swap_wins)) if swap_wins else float("nan"),
        "paired_random": float(np.mean(random_wins)),
    }


def largest_displacement(before: Crystal, after: Crystal) -> float:
    """Return the largest move of an atom in Å, without drift, in the average cell."""
    shift = after.scaled - before.scaled
    shift = shift - shift.mean(axis=0)
    return float(np.linalg.norm(shift @ (0.5 * (before.cell + after.cell)), axis=1).max())


def auc(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    """Return the chance that a member of ``low`` lies below one of ``high`` (ties count half)."""
    if not low.size or not high.size:
        return float("nan")
    order = np.sort(high)
    above = order.size - np.searchsorted(order, low, side="right")
    ties = np.searchsorted(order, low, side="right") - np.searchsorted(order, low, side="left")
    return float(np.mean((above + 0.5 * ties) / order.size))


def mean_stiffness(
    library: SppLibrary, samples: Sequence[Sample], *, rng: np.random.Generator
) -> float:
    """Return the median spring of an atom: -d·(F(x0 + d) - F(x0)) / d·d for small random d.

    Crystals that are not stable (a negative spring) are left out.
    """
    springs = []
    for sample in samples:
        crystal = sample.crystal
        if crystal.n_atoms < 2:
            continue
        model = library.model(crystal.numbers)
        rest = model.evaluate(crystal).forces
        shift = 0.05 * rng.normal(size=rest.shape)
        shift -= shift.mean(axis=0)
        scaled = crystal.scaled + shift @ np.linalg.inv(crystal.cell)
        change = model.evaluate(replace(crystal, scaled=scaled)).forces - rest
        springs.append(-float(np.sum(shift * change) / np.sum(shift * shift)))
    stable = [spring for spring in springs if spring > 0.0]
    return float(np.median(stable)) if stable else 1.0
