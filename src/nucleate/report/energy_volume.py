"""Enthalpy against volume of the structures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.report.trajectory import WINDOW_EV_PER_ATOM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.relax.outcome import Relaxed
    from nucleate.report.figure import ShownFigure
    from nucleate.search.record import Record


def energy_volume_figure(records: Sequence[Record], tier: str, *, title: str) -> ShownFigure:
    """Draw enthalpy per atom against volume per atom, coloured by origin.

    Parameters
    ----------
    records
        Records of a run; those without an energy of the tier are left out, and so are those more
        than 0.6 eV/atom above the best.
    tier
        The tier whose enthalpies are drawn.
    title
        Title of the figure.
    """
    from nucleate.report.figure import ShownFigure, figure_text

    figure = ShownFigure(figsize=(6.0, 4.5), layout="constrained")
    axes = figure.add_subplot()
    shown = figure_text(tier)
    axes.set(xlabel="volume (Å³/atom)", title=figure_text(title))
    found = [(record, done) for record in records if (done := record.relaxed_by(tier)) is not None]
    if not found:
        axes.text(0.5, 0.5, f"no structure has been relaxed by {shown} yet", ha="center")
        return figure
    is_ev = found[0][1].level.unit == "eV"
    best = min((done for _, done in found), key=lambda done: done.enthalpy_per_atom)
    families: dict[str, list[Relaxed]] = {}
    for record, done in found:
        if not is_ev or done.enthalpy_per_atom - best.enthalpy_per_atom <= WINDOW_EV_PER_ATOM:
            families.setdefault(record.candidate.origin.family, []).append(done)
    for family, members in sorted(families.items()):
        axes.scatter(
            [done.crystal.volume_per_atom for done in members],
            [done.enthalpy_per_atom for done in members],
            s=14,
            alpha=0.7,
            label=figure_text(family),
            linewidths=0,
        )
    axes.plot(best.crystal.volume_per_atom, best.enthalpy_per_atom, "*", color="crimson", ms=11)
    axes.set_ylabel(f"enthalpy ({'eV' if is_ev else 'arbitrary units'}/atom), {shown}")
    axes.legend(fontsize=8)
    return figure
