"""What a second model says of the polished structures of a run; its energies are never mixed in."""

from __future__ import annotations

from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from nucleate.crystal.fingerprint import fingerprint, fingerprint_distance
from nucleate.relax.outcome import Relaxed
from nucleate.report.findings import Opinion
from nucleate.report.rule import scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Outcome
    from nucleate.report.findings import Finding, Findings

AGREES_EV_PER_ATOM = 0.010
"""eV/atom; models whose relative energies differ by no more than this agree."""

UNPHYSICAL_EV_PER_ATOM = 0.050
"""eV/atom by which a second model puts an unphysical minimum higher, relative to the rest."""

NOTHING_JUDGED = "{judge} has judged no structure: the list is as it was."

ANOTHER = 0.12
"""Fingerprint distance, volumes made equal, from which a relaxation has left the structure."""

LEVEL_EV_PER_ATOM = 0.002
"""eV/atom; structures as near as this are level."""


def with_opinions(
    findings: Findings,
    polished: Mapping[tuple[int, str], Relaxed],
    judged: Mapping[tuple[int, str], Outcome],
    judge: str,
) -> Findings:
    """Return a findings with what a second model made of its structures.

    Parameters
    ----------
    findings
        The distinct structures.
    polished
        Outcomes of the run's own model, by record and tier of the polish.
    judged
        Outcomes of the second model.
    judge
        What it is called.
    """
    found = {row.key: judged[row.key] for row in findings.rows if row.key in judged}
    energies = {
        key: outcome.enthalpy_per_atom
        for key, outcome in found.items()
        if isinstance(outcome, Relaxed)
    }
    own = {key: polished[key].enthalpy_per_atom for key in energies}
    gaps = {
        key: energy - own[key]
        for key, energy in energies.items()
        if polished[key].level.unit == "eV"
    }
    middle = median(gaps.values()) if gaps else 0.0
    ranks = _ranks(energies)
    own_ranks = _ranks(own)
    rows = []
    for row in findings.rows:
        outcome = found.get(row.key)
        opinion = None
        if isinstance(outcome, Relaxed):
            gap = gaps[row.key] - middle if row.key in gaps else None
            opinion = Opinion(
                energy=energies[row.key],
                rank=ranks[row.key],
                own_rank=own_ranks[row.key],
                difference=gap,
                is_unphysical=gap is not None and gap > UNPHYSICAL_EV_PER_ATOM,
                is_another=_is_another(outcome.crystal, polished[row.key].crystal),
            )
        elif outcome is not None:
            opinion = Opinion(message=f"{outcome.reason}: {outcome.message}".splitlines()[0])
        rows.append(replace(row, opinion=opinion))
    said = sentences(rows, judge) if energies else [NOTHING_JUDGED.format(judge=judge)]
    text = (*findings.text, *said)
    return replace(findings, rows=tuple(rows), judge=judge, text=text)


def _is_another(crystal: Crystal, before: Crystal) -> bool:
    """Return whether a short relaxation has left a structure, whatever its volume."""
    prints = [
        fingerprint(item.replace(cell=item.cell * item.volume_per_atom ** (-1.0 / 3.0)))
        for item in (crystal, before)
    ]
    return fingerprint_distance(*prints) > ANOTHER


def _ranks(energies: Mapping[tuple[int, str], float]) -> dict[tuple[int, str], int]:
    order = sorted(energies, key=lambda key: (energies[key], key))
    return {key: place for place, key in enumerate(order, start=1)}


def opinion_text(opinion: Opinion | None) -> str:
    """Return an opinion in a few words."""
    if opinion is None:
        return ""
    if opinion.energy is None:
        return f"not judged ({opinion.message})"
    if opinion.is_another:
        return "relaxes it into another structure"
    if opinion.difference is None:
        return f"puts it at rank {opinion.rank}"
    gap = 1000.0 * opinion.difference
    if opinion.is_unphysical:
        return f"disagrees by {gap:+.0f} meV/atom: probably an unphysical minimum"
    if abs(opinion.difference) <= AGREES_EV_PER_ATOM:
        return "agrees"
    return f"disagrees by {gap:+.0f} meV/atom"


def sentences(rows: Sequence[Finding], judge: str) -> list[str]:
    """Return what a second model says about the first row, and which it suspects."""
    judged = [(place, row.opinion) for place, row in enumerate(rows, start=1)
              if row.opinion is not None and row.opinion.energy is not None]  # fmt: skip
    lowest_place, lowest = min(judged, key=lambda pair: pair[1].energy or 0.0)
    first = rows[0].opinion
    found = []
    if first is None or first.energy is None or lowest.energy is None:
        found.append(f"{judge} has no energy of the first structure.")
    elif first.energy - lowest.energy <= LEVEL_EV_PER_ATOM:
        found.append(f"{judge} also puts the first structure lowest.")
    else:
        gap = 1000.0 * (first.energy - lowest.energy)
        found.append(
            f"{judge} puts structure {lowest_place} lowest, {gap:.0f} meV/atom below the first."
        )
    found += _by_the_rule(rows)
    suspects = [str(place) for place, opinion in judged if opinion.is_unphysical]
    if suspects:
        found.append(
            f"{judge} puts {', '.join(suspects)} more than 50 meV/atom higher relative to the "
            "rest: probably unphysical minima of the run's model."
        )
    return found


def _by_the_rule(rows: Sequence[Finding]) -> list[str]:
    """Return which structure the rule puts first with the energies of the second model.

    Nothing where there are no prior weights, or the first row has no energy.
    """
    judged = [
        (place, row.weight, row.opinion.energy)
        for place, row in enumerate(rows, start=1)
        if row.opinion is not None and row.opinion.energy is not None and row.weight is not None
    ]
    if not judged or judged[0][0] != 1:
        return []
    order = scores([energy for *_, energy in judged], [weight for _, weight, _ in judged])
    place = judged[int(order.argmin())][0]
    if place == 1:
        return ["With its energies the rule puts the first structure first, too."]
    if rows[place - 1].family == rows[0].family:
        return [f"With its energies the rule puts structure {place}, of the same family, first."]
    return [f"With its energies the rule puts structure {place} first: the first row is doubtful."]
