"""What is uncertain about a result, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.search.polished import RATTLED, level_of_tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.report.history import History
    from nucleate.report.page.facts import Facts
    from nucleate.report.rows import Row

CLOSE_EV_PER_ATOM = 0.02
"""Structures closer than this are not told apart by a model such as CHGNet."""

FEW_COPIES = 2


def doubts(history: History, facts: Facts, rows: Sequence[Row]) -> list[str]:
    """Return a sentence for everything that a reader should know before trusting the first row."""
    found: list[str] = []
    if facts.running:
        found.append("The search is still running; the list may change.")
    if not rows:
        return found
    first = rows[0]
    if first.relaxed is not None and not first.relaxed.converged:
        found.append("The first structure is not converged.")
    found += _close(rows) + _seldom(rows) + _missed(facts) + _order(rows)
    searched = history.tiers.get(history.searched or "")
    if searched is not None and searched.tried:
        failed = 1.0 - searched.relaxed / searched.tried
        if failed > 0.2:
            found.append(f"{100 * failed:.0f} % of the relaxations failed; see below.")
    return found


def _close(rows: Sequence[Row]) -> list[str]:
    if rows[0].relaxed is None or rows[0].relaxed.level.unit != "eV":
        return []
    near = [
        row
        for row in rows[1:]
        if _family(row) != _family(rows[0])
        and row.above_best is not None
        and level_of_tier(row.tier) == level_of_tier(rows[0].tier)
        and row.above_best < (rows[0].above_best or 0.0) + CLOSE_EV_PER_ATOM
    ]
    if not near:
        return []
    more = "1 other structure lies" if len(near) == 1 else f"{len(near)} other structures lie"
    close = f"{more} within {1000 * CLOSE_EV_PER_ATOM:.0f} meV/atom of the first"
    return [f"{close}, less than the usual error of a machine-learned potential."]


def _seldom(rows: Sequence[Row]) -> list[str]:
    family = [row for row in rows if _family(row) == _family(rows[0])]
    if rows[0].copies is None or sum(row.copies or 0 for row in family) >= FEW_COPIES:
        return []
    return ["The first structure was found once only; a lower one may have been missed."]


def _missed(facts: Facts) -> list[str]:
    if facts.missed is None:
        return []
    text = facts.missed.in_words()
    return [f"{text[0].upper()}{text[1:]}."]


def _family(row: Row) -> tuple[str, int | None]:
    """Return what distortions of one structure have in common; other rows are on their own."""
    return ("rank", row.rank) if row.finding is None else ("family", row.finding.family)


def _order(rows: Sequence[Row]) -> list[str]:
    tiers = {level_of_tier(row.tier) for row in rows}
    levels = {row.relaxed.level for row in rows if row.relaxed is not None}
    if len(tiers) < 2 or (RATTLED in tiers and len(levels) == 1):
        return []
    return ["Structures are ranked on different tiers; energies compare within a tier only."]
