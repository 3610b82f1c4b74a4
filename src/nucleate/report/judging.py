"""What the polished structures of a run say: which are distinct, related, and how likely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.matching import matcher_name
from nucleate.library.library import SHIPPED
from nucleate.relax.outcome import Relaxed
from nucleate.report.distinct import distinct, families, in_family_order, polished_of
from nucleate.report.findings import Finding, Findings
from nucleate.report.naming import type_of
from nucleate.report.rule import probabilities, scores
from nucleate.search.polished import POLISHED, SAME_ENERGY, lower_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nucleate.report.distinct import Distinct
    from nucleate.report.prior import Prior
    from nucleate.run.final_settings import FinalSettings
    from nucleate.search.record import Record


def make_findings(
    records: Iterable[Record],
    final: FinalSettings,
    prior: Prior | None,
    libraries: Sequence[str] = (SHIPPED,),
) -> Findings:
    """Return what the polished structures of a run say.

    Parameters
    ----------
    records
        All records of the run.
    final
        The window, and up to which displacement structures are the same.
    prior
        Weights of known structure types; without it structures are in the order of energy.
    libraries
        Libraries of known structures by which structures are named.
    """
    items = distinct(polished_of(records, final.window_ev_per_atom), final.same)
    enthalpies = [item.best.enthalpy for item in items]
    weights: list[float] | None = None
    order = list(enthalpies)
    chances: Sequence[float | None] = [None] * len(items)
    if prior is not None:
        weights = [prior.weight(item.best.relaxed.crystal) for item in items]
        order = scores(enthalpies, weights).tolist()
        chances = [float(p) for p in probabilities(enthalpies, weights)]
    ordered = sorted(
        (in_family_order(family, items, order) for family in families(items)),
        key=lambda family: min(order[place] for place in family),
    )
    rows = tuple(
        Finding(
            record=items[place].best.record.number,
            tier=items[place].best.tier,
            family=number,
            same=items[place].same,
            weight=None if weights is None else weights[place],
            probability=chances[place],
            note=_note(items[place]),
            structure_type=type_of(items[place].best.relaxed.crystal, libraries) or "",
        )
        for number, family in enumerate(ordered, start=1)
        for place in family
    )
    return Findings(rows, final.same, matcher_name(), text=_text(rows))


def _text(rows: Sequence[Finding]) -> tuple[str, ...]:
    """Return how likely the first structure and its family are the observed one."""
    if not rows or rows[0].probability is None:
        return ()
    family = [row for row in rows if row.family == rows[0].family]
    whole = sum(row.probability or 0.0 for row in family)
    text = f"The first structure is the observed one with probability {rows[0].probability:.2f}"
    if len(family) > 1:
        text += f", one of its family of {len(family)} distorted variants with {whole:.2f}"
    return (f"{text}.",)


def _note(item: Distinct) -> str:
    """Return that a structure leaves its symmetry when its atoms are displaced, if it does."""
    record = item.best.record
    winner = lower_of([found for found in record.outcomes if found.tier in POLISHED])
    if winner is None or not isinstance(winner.outcome, Relaxed) or winner.tier == item.best.tier:
        return ""
    fall = item.best.enthalpy - winner.outcome.enthalpy_per_atom
    if fall <= SAME_ENERGY or any(
        (copy.record, copy.tier) == (record.number, winner.tier) for copy in item.same
    ):
        return ""
    return f"unstable, falls by {1000 * fall:.1f} meV/atom when its atoms are displaced"
