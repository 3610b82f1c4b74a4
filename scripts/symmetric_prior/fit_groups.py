"""Fit the choice of a space group: a softmax over the groups that a composition fits."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nucleate.generate.symmetric_prior import SymmetricPrior, positions
from nucleate.generate.wyckoff_counting import log_totals

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_GROUPS = 231
COUNT_SCALES = np.array([8.0, 1.0, 2.0])[:, None]
RIDGE_FEATURE, RIDGE_COUNTING = 0.5, 1.0
EPOCHS, BATCH, LEARNING_RATE = 15, 512, 0.05


def compositions(
    observed: list[dict[str, Any]], weight: NDArray[Any]
) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Return elements, counts and the weight seen in each group of every distinct cell content."""
    seen: dict[tuple[Any, ...], NDArray[Any]] = defaultdict(lambda: np.zeros(N_GROUPS))
    for row, value in zip(observed, weight, strict=True):
        seen[tuple(row["numbers"]), tuple(row["counts"])][row["group"]] += value
    return [(np.array(key[0]), np.array(key[1]), groups) for key, groups in seen.items()]


def fit_groups(
    prior: SymmetricPrior, content: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]
) -> dict[str, NDArray[Any]]:
    """Return ``group_weights`` and ``group_counting``."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    features = np.array([prior.composition_features(z, c) for z, c, _ in content])
    counting = np.array([counting_of(prior, z, c) for z, c, _ in content])
    possible = torch.tensor(np.isfinite(counting[:, 0]))
    x = torch.tensor(features, dtype=torch.float32)
    f = torch.tensor(np.where(np.isfinite(counting), counting / COUNT_SCALES, 0.0)).float()
    target = torch.tensor(np.array([groups for _, _, groups in content]), dtype=torch.float32)
    total = target.sum()
    weights = torch.zeros(features.shape[1], N_GROUPS, requires_grad=True)
    common = torch.zeros(3, 1, requires_grad=True)
    own = torch.zeros(3, N_GROUPS, requires_grad=True)
    steps = EPOCHS * (len(x) // BATCH + 1)
    optimiser = torch.optim.Adam([weights, common, own])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            score = x[rows] @ weights + torch.sum(f[rows] * (common + own), dim=1)
            log_share = torch.log_softmax(score.masked_fill(~possible[rows], -1e9), dim=1)
            loss = -(log_share * target[rows]).sum() / target[rows].sum()
            penalty = RIDGE_FEATURE * weights.square().sum() + RIDGE_COUNTING * own.square().sum()
            optimiser.zero_grad()
            (loss + penalty / total).backward()
            optimiser.step()
            schedule.step()
    print(f"groups: {loss.item():.4f} nats in the last batch")
    return {
        "group_weights": weights.detach().numpy(),
        "group_counting": (common + own).detach().numpy() / COUNT_SCALES,
    }


def counting_of(prior: SymmetricPrior, numbers: NDArray[Any], counts: NDArray[Any]) -> NDArray[Any]:
    """Return the counting features of a composition, shape (3, 231)."""
    places = positions()
    return log_totals(
        counts,
        places.multiplicity,
        places.freedom,
        places.start,
        prior.orbit_weights(numbers, counts),
    )


def memory(
    content: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]],
) -> dict[str, NDArray[Any]]:
    """Return how often each multiset of element counts was seen in each group."""
    seen: dict[tuple[int, ...], NDArray[Any]] = defaultdict(lambda: np.zeros(N_GROUPS))
    for _, counts, groups in content:
        seen[tuple(sorted(counts.tolist()))] += groups
    width = max(len(key) for key in seen)
    keys, numbers, values = [], [], []
    for key in sorted(seen):
        for group in np.flatnonzero(seen[key]):
            keys.append([*key, *[0] * (width - len(key))])
            numbers.append(group)
            values.append(seen[key][group])
    return {
        "memory_counts": np.array(keys, dtype=np.uint8),
        "memory_groups": np.array(numbers, dtype=np.uint8),
        "memory_seen": np.array(values, dtype=np.float32),
    }
