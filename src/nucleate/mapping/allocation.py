"""Which compositions get the next structures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from nucleate.mapping.facets import potentials_of
from nucleate.mapping.falls import Falls
from nucleate.mapping.hull import shares_of
from nucleate.mapping.landscape import features_of, fitted
from nucleate.threads import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from nucleate.mapping.falls import Finding
    from nucleate.mapping.field import Field
    from nucleate.mapping.hull import Hull
    from nucleate.mapping.landscape import Landscape
    from nucleate.mapping.settings import AllocationSettings

LEVELS = 3
"""Energies below the hull at which the change by one composition is computed."""

CONSIDERED = 48
"""Compositions, those expected deepest below the hull, of which the change is computed."""

NOTHING_EV = 1e-7
"""eV/atom for a unit of effort, summed over the field; what changes less counts as no change."""

SAMPLES = 24
"""Joint samples by which the change of the whole hull is estimated."""

HOPE = 2.0
"""Standard deviations within which a composition must reach the hull to be visited before others
are visited again."""

LEAST_VISITED = 12
"""Compositions beside the corners that are visited, whatever the model expects of them, before its
expectations count: with a few energies, all known compounds, it has seen no valley."""

HEDGE = 2
"""Visits of which one goes to the composition near the hull on which least effort was spent,
whatever is expected of it: falls are rarer and deeper than the model of them has it."""

CHEAP_FIRST = 8
"""Visits of which about one, where no composition that was not visited is within :data:`HOPE`, goes
to the cheapest of those that were not: the model of the landscape may be wrong where it has seen
nothing, and small formula units cost little."""

NEAR_EV = 0.05
"""eV/atom above the hull up to which a composition is near it."""

_MEV = 1000.0


@dataclass(frozen=True, slots=True)
class Choice:
    """A composition to visit next.

    Attributes
    ----------
    index : int
        Its place in the field.
    structures : int
        How many to relax.
    reason : str
        In words.
    change_mev : float or None
        Expected change of the hull by the visit, mean over the field, in meV/atom.
    """

    index: int
    structures: int
    reason: str
    change_mev: float | None = None


@dataclass(frozen=True, slots=True)
class Allocation:
    """What is visited next.

    Attributes
    ----------
    choices : tuple of Choice
        Best first; empty where no composition is left.
    expected_change_mev : float or None
        By which the hull is expected to change in the end if all that are not closed are searched
        on, mean over the field, in meV/atom; None for rules that do not estimate it, while a
        corner has no energy and before :data:`LEAST_VISITED` compositions are visited. The samples
        have the same random numbers at every decision, so that it changes with what was found and
        not by chance.
    """

    choices: tuple[Choice, ...]
    expected_change_mev: float | None = None


def allocate(
    field: Field,
    findings: Sequence[Finding],
    hull: Hull,
    settings: AllocationSettings,
    number: int,
    *,
    busy: Collection[int] = (),
    closed: Collection[int] = (),
    costs: NDArray[np.float64] | None = None,
) -> Allocation:
    """Return the next compositions.

    The answer follows from the arguments alone.

    Parameters
    ----------
    field
        The field.
    findings
        What is known of each of its compositions.
    hull
        The hull as it is.
    settings
        Rule and number of structures of a visit.
    number
        How many different compositions.
    busy
        Places of compositions that are being visited; not chosen, and others that would change the
        same part of the hull count for less.
    closed
        Places of compositions that are not to be visited any more.
    costs
        Effort of one structure at each composition, in any unit; the same for all by default.
    """
    open_ = np.ones(len(field.compositions), dtype=bool)
    open_[[*busy, *closed]] = False
    tried = np.array([finding.n_structures for finding in findings])
    if settings.rule == "random":
        rng = np.random.default_rng([settings.seed, int(tried.sum()), len(busy)])
        order = rng.permutation(np.flatnonzero(open_))
        return _plain(order[:number], tried, settings, "drawn at random")
    if settings.rule == "equal":
        ranks = np.random.default_rng(settings.seed).permutation(len(open_))
        order = np.lexsort((ranks, tried, ~open_))[: int(open_.sum())]
        return _plain(order[:number], tried, settings, "the fewest structures so far")
    if hull.missing:
        return _corners_first(field, tried, open_, hull, settings, number)
    with one_blas_thread():
        return _by_hull(field, findings, hull, settings, number, open_, busy, costs)


def landscape_of(field: Field, findings: Sequence[Finding]) -> tuple[Landscape, Falls]:
    """Return the model of the lowest energies, and the falls that it assumes.

    The corners have the formation energy 0. One that was searched, as no structure of it is known,
    may fall like any other composition.
    """
    atoms = field.counts.sum(axis=1).tolist()
    falls = Falls.learned(findings, atoms)
    found = np.array([np.nan if f.best is None else f.best for f in findings])
    rest = np.array([falls.expected(f, n) for f, n in zip(findings, atoms, strict=True)])
    corner = len(field.members)
    rest[:corner][[finding.is_known for finding in findings[:corner]]] = 0.0
    found[:corner] = 0.0
    features = features_of(field.counts, field.elements)
    return fitted(features, found, rest, n_given=corner), falls


def expected_change(hull: Hull, shares: NDArray[np.float64], samples: NDArray[np.float64]) -> float:
    """Return how much the hull changes if compositions have sampled energies, in eV/atom.

    Parameters
    ----------
    hull
        As it is.
    shares
        Of the compositions, at which the change is averaged, (n, n_corners).
    samples
        Formation energies, (n_samples, n).
    """
    now = hull.at_shares(shares)
    stable = list(hull.vertices)
    total = 0.0
    for energies in samples:
        lower = np.flatnonzero(energies < now - 1e-9)
        if not lower.size:
            continue
        points = np.concatenate([hull.shares[stable], shares[lower]])
        heights = np.concatenate([hull.formation[stable], energies[lower]])
        planes = potentials_of(points, heights)
        if planes is not None:
            total += float((now - (shares @ planes.T).max(axis=1)).mean())
    return total / len(samples)


def _by_hull(
    field: Field,
    findings: Sequence[Finding],
    hull: Hull,
    settings: AllocationSettings,
    number: int,
    open_: NDArray[np.bool_],
    busy: Collection[int],
    costs: NDArray[np.float64] | None,
) -> Allocation:
    model, falls = landscape_of(field, findings)
    tried = np.array([finding.n_structures for finding in findings])
    visit = np.where(tried == 0, settings.first, settings.slice)
    shares = shares_of(field.counts.astype(np.float64), field.member_counts)
    reached = _reached(field, findings, model, falls, visit)
    at_work = np.zeros_like(open_)
    at_work[list(busy)] = True
    changes = _changes(hull, shares, reached, open_ | at_work)
    effort = visit * (np.ones(len(visit)) if costs is None else costs)
    samples = model.samples(SAMPLES, rng=np.random.default_rng(settings.seed))
    rest = expected_change(hull, shares, np.where(open_ | at_work, samples, model.bound))
    hopeful = model.mean - HOPE * model.deviation < hull.at_shares(shares)
    is_early = np.count_nonzero(tried[len(field.members) :]) < LEAST_VISITED
    is_early &= bool((open_ & (tried == 0)).any())
    hopeful |= is_early
    new = np.flatnonzero(open_ & (tried == 0) & hopeful)
    order = _covering(changes, effort, new, list(busy), number, tried)
    turn = int(tried.sum()) // settings.slice
    if not order and turn % HEDGE == 0:
        order = _least_searched(findings, hull.at_shares(shares), open_, tried * effort / visit)
    elif not order and turn % CHEAP_FIRST == 1 and not (at_work & (tried == 0)).any():
        height = (model.mean - hull.at_shares(shares)) / model.deviation
        unvisited = np.flatnonzero(open_ & (tried == 0))
        order = unvisited[np.lexsort((height[unvisited], effort[unvisited]))][:1].tolist()
    rest_of = np.setdiff1d(np.flatnonzero(open_), order)
    order += _covering(changes, effort, rest_of, [*busy, *order], number - len(order), tried)
    height, width = (model.mean - hull.at_shares(shares)) * _MEV, model.deviation * _MEV
    choices = [
        Choice(
            place,
            int(visit[place]),
            _reason(findings[place], height[place], width[place], changes[place].mean() * _MEV),
            float(changes[place].mean() * _MEV),
        )
        for place in order
    ]
    return Allocation(tuple(choices), None if is_early else rest * _MEV)


def _reached(
    field: Field,
    findings: Sequence[Finding],
    model: Landscape,
    falls: Falls,
    visit: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return mean, deviation and bound of the energy that a visit will reach.

    A visit of some structures makes up for the part of the expected fall that it ends; a first
    visit stays above the lowest energy by the fall that is expected after it.
    """
    atoms = field.counts.sum(axis=1).tolist()
    mean, deviation = model.mean.copy(), model.deviation.copy()
    for place, (finding, n) in enumerate(zip(findings, atoms, strict=True)):
        if finding.best is None:
            mean[place] += falls.expected(finding, n, int(visit[place]))
            continue
        before = falls.expected(finding, n)
        share = falls.expected(finding, n, int(visit[place])) / before if before > 0.0 else 1.0
        mean[place] = (1.0 - share) * mean[place] + share * finding.best
        deviation[place] *= 1.0 - share
    return mean, deviation, model.bound


def _changes(
    hull: Hull,
    shares: NDArray[np.float64],
    reached: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    eligible: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the expected change of the hull at every composition by a visit of each.

    The energy reached has a normal distribution; its part below the hull, and below what is found
    already, is divided into :data:`LEVELS` parts of equal probability.

    Returns
    -------
    ndarray of float64, shape (n, n)
        eV/atom, by the composition visited and the one looked at.
    """
    from nucleate.mapping.gains import lowerings

    mean, deviation, bound = reached
    now = hull.at_shares(shares)
    edge = np.minimum(now, bound)
    width = np.maximum(deviation, 1e-9)
    chance = np.where(eligible, ndtr((edge - mean) / width), 0.0)
    depth = chance * np.maximum(now - mean, 0.0) + width * np.exp(
        -0.5 * np.minimum(((edge - mean) / width) ** 2, 200.0)
    ) * (chance > 1e-6)
    chosen = np.sort(np.argsort(-depth, kind="stable")[:CONSIDERED])
    chosen = chosen[chance[chosen] > 1e-6]
    changes = np.zeros((len(shares), len(shares)))
    if not chosen.size:
        return changes
    for level in range(LEVELS):
        quantile = chance[chosen] * (level + 0.5) / LEVELS
        energies = mean[chosen] + width[chosen] * ndtri(quantile)
        lowered = lowerings(hull.potentials, shares, shares[chosen], energies)
        changes[chosen] += lowered * (chance[chosen] / LEVELS)[:, None]
    return changes


def _covering(
    changes: NDArray[np.float64],
    effort: NDArray[np.float64],
    open_: NDArray[np.int64],
    busy: Sequence[int],
    number: int,
    tried: NDArray[np.int64],
) -> list[int]:
    """Return compositions that together change most of the hull for their effort.

    Where two would change the same part, the second counts for what it changes beyond the first.
    Where none is expected to change anything, those with the fewest structures come first.
    """
    covered = changes[list(busy)].max(axis=0) if busy else np.zeros(changes.shape[1])
    left, order = open_.tolist(), []
    while left and len(order) < number:
        gains = np.maximum(changes[left] - covered, 0.0).sum(axis=1) / effort[left]
        best = left[int(np.argmax(gains))]
        if gains.max() <= NOTHING_EV:
            alone = changes[left].sum(axis=1) / effort[left]
            best = left[int(np.argmax(alone))]
            if alone.max() <= NOTHING_EV:
                best = left[int(np.argmin(tried[left]))]
        order.append(best)
        left.remove(best)
        covered = np.maximum(covered, changes[best])
    return order


def _least_searched(
    findings: Sequence[Finding],
    now: NDArray[np.float64],
    open_: NDArray[np.bool_],
    spent: NDArray[np.float64],
) -> list[int]:
    """Return the composition near the hull with the least effort; none where none is near."""
    found = np.array([np.inf if f.best is None or f.is_known else f.best for f in findings])
    near = np.flatnonzero(open_ & (found - now <= NEAR_EV))
    return near[np.lexsort((found[near] - now[near], spent[near]))][:1].tolist()


def _corners_first(
    field: Field,
    tried: NDArray[np.int64],
    open_: NDArray[np.bool_],
    hull: Hull,
    settings: AllocationSettings,
    number: int,
) -> Allocation:
    """Return the corners without an energy, then the compositions with the fewest structures."""
    missing = [k for k, m in enumerate(field.members) if m.formula in hull.missing and open_[k]]
    others = np.where(open_, tried, np.iinfo(np.int64).max)
    others[: len(field.members)] = np.iinfo(np.int64).max
    order = np.argsort(others, kind="stable")[: int((others < np.iinfo(np.int64).max).sum())]
    names = ", ".join(hull.missing)
    choices = [
        Choice(
            place,
            settings.first if tried[place] == 0 else settings.slice,
            "a corner of the field without an energy"
            if place in missing
            else f"the fewest structures; no hull yet without {names}",
        )
        for place in [*missing, *order.tolist()][:number]
    ]
    return Allocation(tuple(choices))


def _plain(
    order: NDArray[np.int64], tried: NDArray[np.int64], settings: AllocationSettings, reason: str
) -> Allocation:
    return Allocation(
        tuple(
            Choice(int(k), settings.first if tried[k] == 0 else settings.slice, reason)
            for k in order
        )
    )


def _reason(finding: Finding, height: float, width: float, change: float) -> str:
    where = f"expected {height:+z.0f} ± {width:.0f} meV/atom from the hull"
    tried = f"{finding.n_structures} structures so far" if finding.n_structures else "not visited"
    return f"{where}, {tried}; a visit changes the hull by {change:.2g} meV/atom"
