"""Figures of the benchmark: energy and success against core time, trajectories, structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nucleate.benchmark.tables import gap_mev

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nucleate.benchmark.references import RelaxedStructure
    from nucleate.benchmark.results import RunResult
    from nucleate.crystal.crystal import Crystal

POINTS = 200
SHOWN_GAP_MEV = 400.0
COLUMNS = 3


def curves_figure(
    results: Sequence[RunResult], references: Mapping[str, RelaxedStructure]
) -> Figure:
    """Draw the lowest energy against core time: the mean over runs and their spread.

    Energies are relative to the reference, or to the lowest found where there is none.
    """
    compounds = list(dict.fromkeys(item.cell.compound for item in results))
    figure, axes = _grid(len(compounds))
    for place, compound in zip(axes, compounds, strict=False):
        group = [item for item in results if item.cell.compound == compound and item.curve]
        zero = _zero(group, references.get(compound))
        for number, name in enumerate(_experiments(group)):
            runs = [item for item in group if item.cell.experiment == name]
            _draw_curves(place, runs, zero, f"C{number}", name)
        place.axhline(0.0, color="0.4", lw=0.8, ls="--")
        place.set(title=compound, xlabel="core s", ylabel="meV/atom", xscale="log")
        place.set_ylim(top=SHOWN_GAP_MEV)
        place.legend(fontsize=7)
    return figure


def success_figure(results: Sequence[RunResult]) -> Figure:
    """Draw the fraction of runs that found the reference, or as low an energy, against core time.

    Runs of compounds without a reference are left out.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    known = [item for item in results if _has_reference(item)]
    for number, name in enumerate(_experiments(known)):
        runs = [item for item in known if item.cell.experiment == name]
        times = sorted(time for item in runs if (time := _success_s(item)) is not None)
        longest = max(item.core_s for item in runs)
        steps = np.arange(1, len(times) + 1) / len(runs)
        axes.step(
            [1.0, *times, longest],
            [0.0, *steps, steps[-1] if len(times) else 0.0],
            where="post",
            color=f"C{number}",
            label=f"{name} ({len(runs)} runs)",
        )
    axes.set(xlabel="core s", ylabel="fraction of runs", xscale="log", ylim=(-0.02, 1.02))
    if known:
        axes.legend(fontsize=8)
    return figure


def trajectory(folder: Path, item: RunResult, reference: RelaxedStructure | None) -> Figure:
    """Draw the trajectory of a run with its start and the target (paper: Fig. 7)."""
    from nucleate.report.content import read_run
    from nucleate.report.trajectory import trajectory_figure

    content = read_run(folder)
    figure = trajectory_figure(content.told, item.tiers[-1]["name"], title=str(item.cell))
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    if item.start_ev_per_atom is not None:
        axes.axhline(item.start_ev_per_atom, color="tab:blue", ls=":", label="start")
    if reference is not None:
        energy = reference.energy_ev_per_atom
        axes.axhline(energy, color="tab:green", ls="--", label="target")
        axes.set_ylim(min(low, energy - 0.02), high)
    axes.legend(loc="upper right", fontsize=8, ncols=2)
    return figure


def structures_figure(found: Sequence[tuple[str, Crystal]]) -> Figure:
    """Draw crystals, each with its title (paper: Figs. 5 and 6)."""
    from ase.visualize.plot import plot_atoms

    figure, axes = _grid(len(found))
    for place, (title, crystal) in zip(axes, found, strict=False):
        plot_atoms(crystal.wrapped().to_ase(), place, rotation="10x,-15y,0z", radii=0.4)
        place.set_title(title, fontsize=8)
        place.set_axis_off()
    return figure


def _grid(count: int) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    rows = max(-(-count // COLUMNS), 1)
    figure = Figure(figsize=(4.0 * COLUMNS, 3.0 * rows), layout="constrained")
    axes = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for place in axes[count:]:
        place.set_axis_off()
    return figure, axes


def _draw_curves(
    axes: Axes, runs: Sequence[RunResult], zero: float, color: str, label: str
) -> None:
    first = min(item.curve[0][0] for item in runs)
    last = max(item.core_s for item in runs)
    times = np.geomspace(max(first, 1.0), max(last, 2.0), POINTS)
    values = np.array([_best_at(item, times) for item in runs])
    values = 1000.0 * (values - zero)
    begun = np.isfinite(values).all(axis=0)
    if not begun.any():
        return
    axes.plot(times[begun], values[:, begun].mean(axis=0), color=color, label=label)
    low, high = values[:, begun].min(axis=0), values[:, begun].max(axis=0)
    axes.fill_between(times[begun], low, high, color=color, alpha=0.2, lw=0)


def _best_at(item: RunResult, times: np.ndarray) -> np.ndarray:
    moments = np.array([time for time, _ in item.curve])
    energies = np.array([np.nan, *(energy for _, energy in item.curve)])
    return energies[np.searchsorted(moments, times, side="right")]


def _zero(group: Sequence[RunResult], reference: RelaxedStructure | None) -> float:
    if reference is not None:
        return reference.energy_ev_per_atom
    return min(item.curve[-1][1] for item in group) if group else 0.0


def _experiments(results: Sequence[RunResult]) -> list[str]:
    return list(dict.fromkeys(item.cell.experiment for item in results))


def _has_reference(item: RunResult) -> bool:
    from nucleate.benchmark.compounds import compound_named

    return compound_named(item.cell.compound).is_known


def _success_s(item: RunResult) -> float | None:
    times = [item.reached_s, None if item.hit is None else item.hit.core_s]
    return min((time for time in times if time is not None), default=None)


def picture_title(item: RunResult, references: Mapping[str, RelaxedStructure]) -> str:
    """Return the title of the picture of a run's lowest structure."""
    from nucleate.crystal.symmetry import space_group

    assert item.crystal is not None
    gap = gap_mev(item, references)
    text = f"{item.cell.compound}, {item.cell.experiment}, {space_group(item.crystal, 0.1)[1]}"
    return text if gap is None else f"{text}, {gap:+.1f} meV/atom"
