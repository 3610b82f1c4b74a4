"""Candidates that the language of Wyckoff positions writes, the likeliest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.symmetry import space_group_symbol
from nucleate.generate.context import OTHERS_SERVE
from nucleate.generate.distinct import distinct
from nucleate.generate.pool import Member, PooledGenerator, RankedPool
from nucleate.generate.symmetric_prior import load_prior
from nucleate.generate.trained import can_serve
from nucleate.generate.wyckoff_language.held import held_groups
from nucleate.generate.wyckoff_language.kept import KeptImages
from nucleate.generate.wyckoff_language.sentence import (
    crystal_of,
    expected_volume,
    in_usual_order,
    usual_order,
)
from nucleate.threads import one_blas_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.crystal.space import SearchSpace
    from nucleate.generate.trained import Trained
    from nucleate.generate.wyckoff_language.assignments import Assignment
    from nucleate.generate.wyckoff_language.held import Held
    from nucleate.generate.wyckoff_language.network_order import NetworkOrder
    from nucleate.generate.wyckoff_language.places import PlaceWriter, Written
    from nucleate.generate.wyckoff_language.sentence import Sentence

STRICTNESS = 0.75
"""Minimum distances relative to the usual shortest contact of the elements."""

AGAIN = 0.4
"""Chance of another set of coordinates of an assignment relative to the one before."""

LEAST_SIZE_SHARE = 0.02
"""Sizes less likely than this are not tried."""

EXTRA = 6
"""Sets of coordinates that are drawn beyond those wanted; the likeliest are kept."""

SPARE = 8
"""Candidates made beyond one and a half times the number asked for: some fail or repeat others."""

ASSIGNMENTS = 100
"""Assignments of each size that are completed; more where more than 500 candidates are wanted."""

MOST_OF_ONE = 12
"""Candidates of one assignment, at most; beside a kept part as many as are asked for."""


BESIDE_A_PART = 3
"""Times as many sets of coordinates are drawn beside a kept part, where few assignments are likely
and the place that is left may be hard to hit."""


class WyckoffLanguageGenerator(PooledGenerator):
    """Gives the crystals that the language finds likely, each once, then None.

    The likeliest come first, or those that are likely and low in energy by the graph network.

    ``Origin.detail`` holds the space group that was written (that of the crystal may be a
    supergroup), the assignment, the formula units, the log-likelihood of the assignment (with that
    of its size, and summed over its descriptions that the beam kept), the log-density of cell and
    coordinates, and the digest of the checkpoint.

    Parameters
    ----------
    space : SearchSpace
        What is searched.
    checkpoint : Trained
        The language.
    number : int
        Candidates made.
    leading : int
        How many of them come before all other generators.
    after : int
        Structures of the run, of whatever source, before the first of them.
    temperature, top_p : float
        How cells and coordinates are drawn.
    explore : bool
        Draw the assignments by chance, none twice, in place of the likeliest.
    assignment_temperature, assignment_top_p : float
        How they are drawn then.
    held : Held or None
        What is given of every crystal.
    order : NetworkOrder or None
        Ranks by likelihood and energy; None for likelihood alone.
    seed : int
        Of all that is drawn.
    warn : callable
        Called with a warning where the language cannot serve.
    """

    name = "wyckoff-language"
    stage = "crystals of the language"

    def __init__(
        self,
        space: SearchSpace,
        checkpoint: Trained,
        *,
        number: int = 200,
        leading: int = 20,
        after: int = 0,
        temperature: float = 0.7,
        top_p: float = 0.95,
        explore: bool = False,
        assignment_temperature: float = 1.0,
        assignment_top_p: float = 1.0,
        held: Held | None = None,
        order: NetworkOrder | None = None,
        seed: int = 0,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._space, self._checkpoint = space, checkpoint
        self._number, self._leading, self.after = number, leading, after
        self._temperature, self._top_p, self._explore = temperature, top_p, explore
        self._of_assignments = assignment_temperature, assignment_top_p
        self._held, self._order, self._seed, self._warn = held, order, seed, warn

    @property
    def _part(self) -> Sentence | None:
        return None if self._held is None else self._held.part

    def make_pool(self) -> RankedPool:
        """Return the candidates, the likeliest first."""
        serves = can_serve(self._checkpoint, self._space, "the language", "writes", self._warn)
        with one_blas_thread():
            members = self._members() if serves else []
            if serves and not members:
                self._warn(
                    f"the language finds no crystal of {self._space.composition.formula} within "
                    f"the limits of the search space. {OTHERS_SERVE}"
                )
            if self._order is not None:
                members = self._order.of(members, self._space)
        best = members[: self._number]
        return RankedPool(self._space, best, name=self.name, leading=self._leading)

    def _sizes(self) -> list[tuple[int, float]]:
        """Return the numbers of formula units that are tried, and their shares."""
        per_unit = self._space.composition.n_atoms
        most = self._checkpoint.settings.most_atoms
        units = tuple(u for u in self._space.formula_units if u * per_unit <= most)
        if self._held is not None:
            units = tuple(u for u in units if held_groups(self._held, self._space, u))
        if not units:
            return []
        shares = load_prior().formula_unit_shares(per_unit, units)
        top = float(shares.max())
        return [
            (u, float(s))
            for u, s in zip(units, shares, strict=True)
            if s >= min(LEAST_SIZE_SHARE, top)
        ]

    def _members(self) -> list[Member]:
        from nucleate.generate.wyckoff_language.assignments import AssignmentSearch, Manner

        rng = np.random.default_rng([self._seed, 28])
        composition = self._space.composition
        numbers = np.array(composition.elements, dtype=np.int64)
        per_unit = np.array(list(composition.counts.values()), dtype=np.int64)
        order = usual_order(numbers) if self._held is None else self._held.order(numbers)
        numbers, per_unit = numbers[order], per_unit[order]
        network = self._checkpoint.network()
        manner = Manner(self._temperature, self._top_p)
        found: list[tuple[float, Member]] = []
        choices: list[tuple[float, int, Assignment]] = []
        for units, share in self._sizes():
            counts = per_unit * units
            volume = np.log(expected_volume(numbers, counts) / counts.sum())
            search = AssignmentSearch(
                network,
                numbers,
                counts,
                float(volume),
                groups=self._space.space_groups,
                held=self._held,
            )
            most = min(self._number, max(ASSIGNMENTS, self._number // 5))
            made = search.likely(
                most,
                manner=Manner(*self._of_assignments),
                rng=rng if self._explore else None,
            )
            placed = self._placed(made, self._writer(network, numbers, counts))
            choices += [
                (log + a.log_likelihood + float(np.log(share)), units, a) for log, a in placed
            ]
        wanted = self._wanted(choices)
        for units, _ in self._sizes():
            own = [(c, w) for c, w in zip(choices, wanted, strict=True) if c[1] == units and w]
            found += self._completed(network, numbers, per_unit * units, own, manner, rng)
        found.sort(key=lambda item: -item[0])
        return [member for _, member in found]

    def _placed(
        self, assignments: list[Assignment], writer: PlaceWriter
    ) -> list[tuple[float, Assignment]]:
        """Return assignments, each with the log-density of a kept part beside it."""
        if self._held is None or self._part is None or not assignments:
            return [(0.0, item) for item in assignments]
        return KeptImages(self._held.images).placed(assignments, writer)

    def _writer(
        self, network: Any, numbers: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> PlaceWriter:
        from nucleate.generate.wyckoff_language.places import PlaceWriter

        pairs = np.ix_(numbers, numbers)
        limits = np.maximum(
            STRICTNESS * load_prior().usual_contacts[pairs], self._space.min_distances[pairs]
        )
        return PlaceWriter(network, numbers, counts, limits, held=self._held)

    def _wanted(self, choices: list[tuple[float, int, Assignment]]) -> list[int]:
        """Return how many candidates of each assignment are made; some of them may fail."""
        kept, most = 0, MOST_OF_ONE
        if self._part is not None:
            kept, most = self._part.numbers.size, max(MOST_OF_ONE, self._number)
        ranked = sorted(
            (
                (-score - k * np.log(AGAIN), place, k)
                for place, (score, _, item) in enumerate(choices)
                for k in range(most if _is_movable(item, kept) else 1)
            )
        )
        wanted = [0] * len(choices)
        for _, place, _k in ranked[: self._number + self._number // 2 + SPARE]:
            wanted[place] += 1
        return wanted

    def _completed(
        self,
        network: Any,
        numbers: NDArray[np.int64],
        counts: NDArray[np.int64],
        own: list[tuple[tuple[float, int, Assignment], int]],
        manner: Any,
        rng: np.random.Generator,
    ) -> list[tuple[float, Member]]:
        """Return candidates of some assignments of one size, with their scores."""
        writer = self._writer(network, numbers, counts)
        often = BESIDE_A_PART if self._part is not None else 1
        repeats = [often * (wanted + EXTRA + wanted // 2) for _, wanted in own]
        written = writer.written([c[2] for c, _ in own], repeats, manner=manner, rng=rng)
        groups: dict[tuple[int, str, int], list[Written]] = {}
        for item in written:
            key = item.sentence.group, item.sentence.words, item.image
            groups.setdefault(key, []).append(item)
        found = []
        by_words = {
            (c[2].group, _words(c[2], numbers, counts), c[2].image): (c[0], c[1], wanted)
            for c, wanted in own
        }
        for key, items in groups.items():
            score, units, wanted = by_words[key]
            for k, (crystal, item) in enumerate(self._best(items, wanted, writer.limits)):
                detail = _detail(item, units, score)
                detail["checkpoint"] = self._checkpoint.digest
                found.append((score + k * float(np.log(AGAIN)), Member(crystal, detail)))
        return found

    def _best(
        self, items: list[Written], wanted: int, limits: NDArray[np.float64]
    ) -> list[tuple[Crystal, Written]]:
        """Return the distinct crystals of the highest density."""
        made, often = [], BESIDE_A_PART if self._part is not None else 1
        for item in sorted(items, key=lambda item: -item.log_density):
            crystal = crystal_of(item.sentence, limits * (1.0 - 1e-6))
            if crystal is not None and self._space.rejection(crystal) is None:
                made.append((crystal, item))
            if len(made) >= often * 2 * wanted + 2:
                break
        return [made[k] for k in distinct([c for c, _ in made], most=wanted)]


def _is_movable(assignment: Assignment, first: int) -> bool:
    """Return whether an orbit of the elements from this one on has free coordinates."""
    from nucleate.generate.wyckoff import sites

    table = sites(assignment.group)
    orbits = zip(assignment.kinds, assignment.positions, strict=True)
    return any(table[p].freedom for k, p in orbits if k >= first)


def _words(assignment: Assignment, numbers: NDArray[np.int64], counts: NDArray[np.int64]) -> str:
    from nucleate.generate.wyckoff_language.sentence import Sentence

    orbits = len(assignment.kinds)
    return Sentence(
        assignment.group,
        numbers,
        counts,
        np.array(assignment.kinds),
        np.array(assignment.positions),
        np.zeros((orbits, 3)),
        np.zeros(0),
        0.0,
    ).words


def _detail(item: Written, units: int, score: float) -> dict[str, str | int | float]:
    sentence = in_usual_order(item.sentence)
    return {
        "space_group": space_group_symbol(sentence.group),
        "space_group_number": sentence.group,
        "wyckoff": sentence.words,
        "formula_units": units,
        "log_likelihood": round(score, 4),
        "log_density": round(item.log_density, 4),
    }
