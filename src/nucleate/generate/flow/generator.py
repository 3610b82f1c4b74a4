"""Candidates that the flow makes, the likely ones first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.generate.pool import Member, PooledGenerator, RankedPool
from nucleate.generate.symmetric_prior import load_prior
from nucleate.generate.trained import can_serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.flow.sampling import Manner, Start
    from nucleate.generate.trained import Trained

STRICTNESS = 0.75
"""Minimum distances relative to the usual shortest contact of the elements."""

LEAST_SIZE_SHARE = 0.02
"""Sizes less likely than this are not tried."""

REACHED_WEIGHT = 4.0
"""What the logarithm of the number of starts counts beside the log-likelihood; 2 to 16 serve as
well (docs/measurements/flow.md)."""

ROUNDS = 3
"""Times that starts are drawn, at most; crystals that cannot be used are replaced."""


class FlowGenerator(PooledGenerator):
    """Gives the crystals that random starts become, each once, then None.

    What is likely and reached from many starts comes first. ``Origin.detail`` holds the number of
    starts as ``reached``, ``log_likelihood`` (of
    :func:`nucleate.generate.flow.likelihood.log_likelihoods`), the formula units, the digest of the
    checkpoint, and the space group that was kept, where there is one.

    Parameters
    ----------
    space : SearchSpace
        What is searched.
    checkpoint : Trained
        The flow.
    number : int
        Starts.
    leading : int
        How many candidates come before all other generators.
    manner : Manner
        How the flow is followed.
    symmetric : float
        Share of starts that have the symmetry of a space group, and keep it.
    seed : int
        Of all that is drawn.
    warn : callable
        Called with a warning where the flow cannot serve.
    """

    name = "flow"
    stage = "crystals of the flow"

    def __init__(
        self,
        space: SearchSpace,
        checkpoint: Trained,
        manner: Manner,
        *,
        number: int = 64,
        leading: int = 20,
        symmetric: float = 0.75,
        seed: int = 0,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._space, self._checkpoint, self._manner = space, checkpoint, manner
        self._number, self._leading = number, leading
        self._symmetric = 1.0 if space.space_groups is not None else symmetric
        self._seed, self._warn = seed, warn

    def make_pool(self) -> RankedPool:
        """Return the candidates, the best first."""
        serves = can_serve(self._checkpoint, self._space, "the flow", "makes", self._warn)
        members = self._members() if serves else []
        return RankedPool(self._space, members, name=self.name, leading=self._leading)

    def _sizes(self) -> list[tuple[int, int]]:
        """Return the numbers of formula units that are tried, and how many starts each has."""
        per_unit, most = self._space.composition.n_atoms, self._checkpoint.settings.most_atoms
        units = tuple(u for u in self._space.formula_units if u * per_unit <= most)
        shares = load_prior().formula_unit_shares(per_unit, units)
        kept = shares >= min(LEAST_SIZE_SHARE, float(shares.max()))
        shares = shares[kept] / shares[kept].sum()
        numbers = np.ceil(self._number * shares - 1e-9).astype(int)
        chosen = np.array(units)[kept]
        return [(int(u), int(n)) for u, n in zip(chosen, numbers, strict=True)]

    def _members(self) -> list[Member]:
        from nucleate.generate.flow.likelihood import log_likelihoods
        from nucleate.threads import one_torch_thread

        network = self._checkpoint.network()
        known = {"checkpoint": self._checkpoint.digest}
        found: list[Member] = []
        with one_torch_thread():
            for units, number in self._sizes():
                made = self._made(network, units, number)
                counted = _counted(made)
                likely = log_likelihoods(network, [crystal for crystal, _ in counted])
                found += [
                    Member(crystal, {"formula_units": units, **detail, **_rounded(value), **known})
                    for (crystal, detail), value in zip(counted, likely, strict=True)
                ]
        found.sort(key=_standing, reverse=True)
        return found[: self._number]

    def _made(
        self, network: Any, units: int, number: int
    ) -> list[tuple[Crystal, dict[str, str | int]]]:
        """Return crystals of one size that can be used, each with what was kept."""
        from nucleate.generate.flow.sampling import flowed

        counts = np.array(list(self._space.composition.counts.values())) * units
        elements = np.array(self._space.composition.elements, dtype=np.int64)
        numbers = np.sort(np.repeat(elements, counts))
        starts = Starts(self._space, network, numbers, units, self._symmetric)
        made: list[tuple[Crystal, dict[str, str | int]]] = []
        drawn = 0
        for _ in range(ROUNDS):
            wanted = number - len(made)
            if wanted <= 0:
                break
            begin = [
                starts.draw(np.random.default_rng([self._seed, 29, units, drawn + k]))
                for k in range(wanted)
            ]
            drawn += wanted
            begin = [item for item in begin if item is not None]
            crystals = flowed(network, numbers, [start for start, _ in begin], self._manner)
            made += [
                (crystal, detail)
                for crystal, (_, detail) in zip(crystals, begin, strict=True)
                if crystal is not None and self._accepts(crystal)
            ]
        return made

    def _accepts(self, crystal: Crystal) -> bool:
        free = replace(self._space, space_groups=None)
        usual = STRICTNESS * load_prior().usual_contacts
        strict = replace(free, min_distances=np.maximum(usual, free.min_distances))
        if strict.rejection(crystal) is not None:
            return False
        return self._space.space_groups is None or self._space.rejection(crystal) is None


class Starts:
    """Random starts of one size, some of them with the symmetry of a space group."""

    def __init__(
        self,
        space: SearchSpace,
        network: Any,
        numbers: NDArray[np.int64],
        units: int,
        symmetric: float,
    ) -> None:
        from nucleate.generate.symmetric import SymmetricGenerator

        self._network, self._numbers, self._symmetric = network, numbers, symmetric
        one = replace(space, formula_units=(units,))
        self._crystals = SymmetricGenerator(one) if symmetric > 0.0 else None

    def draw(self, rng: np.random.Generator) -> tuple[Start, dict[str, str | int]] | None:
        """Return a start and the space group it keeps; None if no symmetric one is found."""
        from nucleate.generate.flow.cells import niggli
        from nucleate.generate.flow.sampling import random_start, start_of
        from nucleate.generate.flow.symmetry import kept_by

        if self._crystals is None or rng.random() >= self._symmetric:
            return random_start(self._network, self._numbers.size, rng=rng), {}
        candidate = self._crystals.generate(rng=rng)
        if candidate is None:
            return None
        try:
            crystal = niggli(candidate.crystal)
            kept = kept_by(crystal)
        except ValueError:
            return None
        detail = candidate.origin.detail
        return start_of(crystal, kept), {
            "kept_group": str(detail["space_group"]),
            "kept_group_number": int(detail["space_group_number"]),
        }


def _rounded(log_likelihood: float) -> dict[str, float]:
    """Return a log-likelihood as a detail; none where there is no value."""
    return {"log_likelihood": round(log_likelihood, 3)} if np.isfinite(log_likelihood) else {}


def _standing(member: Member) -> float:
    """Return what members are sorted by: log-likelihood and starts that reach it, per atom."""
    likely = float(member.detail.get("log_likelihood", -np.inf))
    often = REACHED_WEIGHT * np.log(float(member.detail["reached"]))
    return float(likely + often) / member.crystal.n_atoms


def _counted(
    made: list[tuple[Crystal, dict[str, str | int]]],
) -> list[tuple[Crystal, dict[str, str | int]]]:
    """Return the distinct crystals, each with how many starts reached it, the most first."""
    known = KnownCrystals()
    firsts: dict[int, list[Any]] = {}
    for place, (crystal, detail) in enumerate(made):
        print_ = fingerprint(crystal)
        same = known.matches(print_)
        if same:
            firsts[min(same, key=lambda number: same[number])][2] += 1
        else:
            known.add(place, print_)
            firsts[place] = [crystal, detail, 1]
    found = sorted(firsts.values(), key=lambda item: -item[2])
    return [(crystal, {**detail, "reached": count}) for crystal, detail, count in found]
