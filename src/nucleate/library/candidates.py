"""All candidates of a composition: substituted and derived prototypes in one order."""

from __future__ import annotations

from functools import partial
from heapq import nlargest
from itertools import chain, islice
from typing import TYPE_CHECKING

from nucleate.crystal.cells import reduced_cell
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.library.derived import Plan, built, merged_and_split, with_orbits_removed
from nucleate.library.insertion import in_voids, with_orbits_inserted
from nucleate.library.recoloured import recoloured
from nucleate.library.substitution import Draft, Proposal, fits, substituted
from nucleate.library.superstructures import ordered_supercells

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nucleate.crystal.composition import Composition
    from nucleate.crystal.space import SearchSpace
    from nucleate.library.hold_out import HoldOut
    from nucleate.library.library import Library

DERIVED_FACTOR = 0.03
"""Factor on the vote of a derived prototype: it is trusted less than a known one."""

SURE = 0.7
"""Sum of the votes from which no prototypes are derived as long as there are enough known ones."""

_MOST_ELEMENTS = 8


def candidates(
    library: Library,
    composition: Composition,
    hold_out: HoldOut,
    *,
    space: SearchSpace | None = None,
    most: int = 100,
    derived: bool = True,
) -> list[Proposal]:
    """Return the candidates, the most likely first; see :meth:`Library.candidates`."""
    if hold_out.use == "off" or most < 1:
        return []
    plain = list(
        islice(substituted(library, composition, hold_out, space=space, most=most), 3 * most)
    )
    plain.sort(key=lambda draft: -draft.vote)
    support = sum(draft.vote for draft in plain if draft.geometry == 1)
    least = plain[most - 1].vote if len(plain) >= most else 0.0
    drafts = plain
    derived = derived and len(composition.items) <= _MOST_ELEMENTS
    if derived and (len(plain) < most or support < SURE):
        others = _derived(library, composition, hold_out, space, most, least)
        drafts = sorted(chain(plain, others), key=lambda draft: -draft.vote)
    found = _accepted(_built(drafts), composition, space, most)
    if derived and len(found) < most:
        more = chain(
            _derived(library, composition, hold_out, space, most, 0.0) if least else (),
            _recoloured(library, composition, hold_out, space, most),
        )
        found = _accepted(chain(found, _built(more)), composition, space, most)
    return found


def _built(drafts: Iterable[Draft]) -> Iterator[Proposal]:
    for draft in drafts:
        yield from draft.build()


def _accepted(
    proposals: Iterable[Proposal],
    composition: Composition,
    space: SearchSpace | None,
    most: int,
) -> list[Proposal]:
    """Return the proposals that the space accepts and that repeat none before them."""
    found: list[Proposal] = []
    seen = KnownCrystals()
    for proposal in proposals:
        crystal = proposal.crystal
        if space is not None and space.rejection(crystal, check_volume=False) is not None:
            continue
        print_ = fingerprint(crystal)
        if seen.matches(print_):
            continue
        seen.add(len(found), print_)
        units = composition.formula_units_of(crystal.numbers) or 0
        found.append(
            Proposal(
                crystal,
                {**proposal.detail, "formula_units": units, "rank": len(found) + 1},
                proposal.vote,
            )
        )
        if len(found) == most:
            break
    return found


def _derived(
    library: Library,
    composition: Composition,
    hold_out: HoldOut,
    space: SearchSpace | None,
    most: int,
    least: float,
) -> Iterator[Draft]:
    """Yield the derived candidates whose votes are above ``least``."""
    elements = composition.elements
    counts = [count for _, count in composition.items]
    plans = chain(
        merged_and_split(library, elements, counts, hold_out),
        with_orbits_removed(library, elements, counts, hold_out, space),
        with_orbits_inserted(library, elements, counts, hold_out, space),
    )
    worth = (plan for plan in plans if plan.vote * DERIVED_FACTOR > least)
    for plan in nlargest(2 * most, worth, key=lambda plan: plan.vote):
        yield _draft(library, plan, composition, space)
    for plan, crystal in ordered_supercells(
        library, elements, counts, hold_out, space, least / DERIVED_FACTOR
    ):
        build = partial(_proposals, library, plan, [crystal])
        yield Draft(plan.vote * DERIVED_FACTOR, 0, build)


def _recoloured(
    library: Library,
    composition: Composition,
    hold_out: HoldOut,
    space: SearchSpace | None,
    most: int,
) -> Iterator[Draft]:
    """Yield recoloured skeletons, the best first."""
    counts = [count for _, count in composition.items]
    plans = recoloured(library, composition.elements, counts, hold_out, space)
    for plan in nlargest(most, plans, key=lambda plan: plan.vote):
        yield _draft(library, plan, composition, space)


def _draft(
    library: Library, plan: Plan, composition: Composition, space: SearchSpace | None
) -> Draft:
    def build() -> list[Proposal]:
        placed = [plan] if plan.inserted is None else in_voids(library, plan)
        crystals = [Crystal(*built(library, one)) for one in placed]
        allowed = [c for c in crystals if space is None or fits(space, c.n_atoms, composition)]
        return _proposals(library, plan, allowed)

    return Draft(plan.vote * DERIVED_FACTOR, 0, build)


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
