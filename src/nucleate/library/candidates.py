"""All candidates of a composition: substituted and derived prototypes in one order."""

from __future__ import annotations

from heapq import heappop, heappush, nlargest
from itertools import chain
from typing import TYPE_CHECKING

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import DUPLICATE_DISTANCE, fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.library.derived import Branch, built, merged_and_split, merges, with_orbits_removed
from nucleate.library.insertion import in_voids, with_orbits_inserted
from nucleate.library.recoloured import recoloured
from nucleate.library.substitution import Draft, Proposal, fits, substituted
from nucleate.library.superstructures import ordered_supercells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nucleate.crystal.composition import Composition
    from nucleate.crystal.space import SearchSpace
    from nucleate.library.derived import Plan
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.library import Library

DERIVED_FACTOR = 0.03
"""Factor on the vote of a derived prototype: it is trusted less than a known one."""

SURE = 0.7
"""Sum of the votes from which derived prototypes come after the known ones, if these are enough."""

ENOUGH = 20
"""Candidates by substitution that are enough."""

ALIKE = 0.16
"""Fingerprint distance within which a candidate is much like one before it."""

ALIKE_FACTOR = 0.1
"""Factor on the vote of a candidate that is much like one before it."""

_MOST_ELEMENTS = 8
_RECOLOURED = 200


def candidates(
    library: Library,
    composition: Composition,
    hold_out: HoldOut,
    *,
    space: SearchSpace | None = None,
    most: int = 100,
    derived: bool = True,
) -> list[Proposal]:
    """Return the candidates, the most likely first; see :meth:`Library.candidates`.

    The order does not depend on ``most``: fewer candidates are the first of more.
    """
    if hold_out.use == "off" or most < 1:
        return []
    plain = substituted(library, composition, hold_out, space)
    sources: list[Iterable[Draft]] = [[plain.first] if plain.first is not None else []]
    if derived and len(composition.items) <= _MOST_ELEMENTS:
        arguments = library, composition, hold_out, space
        others = [_derived(*arguments), _recoloured(*arguments)]
        if plain.support < SURE or plain.number < ENOUGH:
            sources[0] = chain(sources[0], others.pop(0))
        sources += others
    ranking = _Ranking(composition, space, most)
    for source in sources:
        ranking.take(source)
    return ranking.found


class _Ranking:
    """Builds the candidates of drafts in the order of their votes, up to a number."""

    def __init__(self, composition: Composition, space: SearchSpace | None, most: int) -> None:
        self.found: list[Proposal] = []
        self._composition = composition
        self._space = space
        self._most = most
        self._seen = KnownCrystals()
        self._waiting: list[tuple[float, int, Draft | Proposal]] = []
        self._pushed = 0

    def take(self, drafts: Iterable[Draft]) -> None:
        """Rank these drafts and what they lead to, after all that were taken before."""
        if len(self.found) >= self._most:
            return
        for draft in drafts:
            self._push(draft, draft.vote)
        while self._waiting and len(self.found) < self._most:
            _, _, item = heappop(self._waiting)
            if isinstance(item, Proposal):
                self._accept(item, waited=True)
                continue
            for part in item.build():
                if isinstance(part, Proposal):
                    self._accept(part)
                else:
                    self._push(part, part.vote)

    def _push(self, item: Draft | Proposal, vote: float) -> None:
        heappush(self._waiting, (-vote, self._pushed, item))
        self._pushed += 1

    def _accept(self, proposal: Proposal, *, waited: bool = False) -> None:
        """Take a proposal if it is allowed and new; let it wait if it is like another one."""
        crystal = proposal.crystal
        if len(self.found) >= self._most or (
            not waited
            and self._space is not None
            and self._space.rejection(crystal, check_volume=False) is not None
        ):
            return
        print_ = fingerprint(crystal)
        near = min(self._seen.matches(print_, within=ALIKE).values(), default=ALIKE)
        if near < DUPLICATE_DISTANCE:
            return
        if near < ALIKE and not waited:
            self._push(proposal, proposal.vote * ALIKE_FACTOR)
            return
        self._seen.add(len(self.found), print_)
        units = self._composition.formula_units_of(crystal.numbers) or 0
        detail = {**proposal.detail, "formula_units": units, "rank": len(self.found) + 1}
        self.found.append(Proposal(crystal, detail, proposal.vote))


def _derived(
    library: Library, composition: Composition, hold_out: HoldOut, space: SearchSpace | None
) -> Iterator[Draft]:
    """Yield what can be derived from known prototypes, in any order."""
    elements = composition.elements
    counts = [count for _, count in composition.items]
    pairs = merges(library, elements, counts, hold_out)
    branches = chain(
        merged_and_split(elements, counts, pairs),
        with_orbits_removed(library, elements, counts, hold_out, space),
        with_orbits_inserted(library, elements, counts, hold_out, space),
        ordered_supercells(library, elements, counts, pairs, space),
    )
    for branch in branches:
        yield _branch(library, branch, composition, space)


def _recoloured(
    library: Library, composition: Composition, hold_out: HoldOut, space: SearchSpace | None
) -> Iterator[Draft]:
    """Yield recoloured skeletons, the best first."""
    counts = [count for _, count in composition.items]
    plans = recoloured(library, composition.elements, counts, hold_out, space)
    for plan in nlargest(_RECOLOURED, plans, key=lambda plan: plan.vote):
        yield _draft(library, plan, composition, space)


def _branch(
    library: Library, branch: Branch, composition: Composition, space: SearchSpace | None
) -> Draft:
    def build() -> Iterator[Draft]:
        for plan in branch.plans():
            yield _draft(library, plan, composition, space)
        for following in Branch.first_of(branch.following or iter(())):
            yield _branch(library, following, composition, space)

    return Draft(branch.vote * DERIVED_FACTOR, build)


def _draft(
    library: Library, plan: Plan, composition: Composition, space: SearchSpace | None
) -> Draft:
    def build() -> list[Proposal]:
        if plan.crystal is not None:
            crystals = [plan.crystal]
        else:
            placed = [plan] if plan.inserted is None else in_voids(library, plan)
            crystals = [Crystal(*built(library, one)) for one in placed]
        allowed = [c for c in crystals if space is None or fits(space, c.n_atoms, composition)]
        return _proposals(library, plan, allowed)

    return Draft(plan.vote * DERIVED_FACTOR, build)


def _proposals(library: Library, plan: Plan, crystals: Iterable[Crystal]) -> list[Proposal]:
    entry = library.entry(plan.number)
    detail = {
        "prototype": entry.proto.label,
        "reference": entry.name,
        "reference_formula": entry.formula,
        "derived": plan.how,
    }
    vote = plan.vote * DERIVED_FACTOR
    return [Proposal(reduced_cell(crystal), dict(detail), vote) for crystal in crystals]
