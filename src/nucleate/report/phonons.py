"""Phonons as a figure and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.phonons.dynamics import Bands, Phonons
    from nucleate.report.figure import ShownFigure

GREEK = {"G": "Γ"}


def phonon_figure(phonons: Phonons, *, title: str) -> ShownFigure:
    """Draw the bands and the density of states; imaginary frequencies are negative and shaded."""
    from nucleate.report.figure import ShownFigure, figure_text

    bands = phonons.bands()
    frequencies, states = phonons.density_of_states()
    figure = ShownFigure(figsize=(7.5, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    left.plot(bands.distance, bands.frequencies, color="C0", lw=0.9)
    for tick in bands.ticks:
        left.axvline(tick, color="0.8", lw=0.6)
    left.set_xticks(bands.ticks, [GREEK.get(name, name) for name in bands.labels])
    left.set(ylabel="frequency (THz), imaginary below 0", title=figure_text(title))
    left.set_xlim(bands.distance[0], bands.distance[-1])
    right.plot(states, frequencies, color="C0", lw=0.9)
    right.set(xlabel="states per THz", xlim=(0.0, None))
    low = min(0.0, float(bands.frequencies.min()), float(frequencies.min()))
    for axes in (left, right):
        axes.axhline(0.0, color="0.3", lw=0.8)
        if low < -0.05:
            axes.axhspan(1.05 * low, 0.0, color="C3", alpha=0.12, lw=0)
    return figure


def write_tables(folder: Path, phonons: Phonons) -> None:
    """Write ``bands.csv`` and ``dos.csv``, frequencies in THz."""
    write_bands(folder / "bands.csv", phonons.bands())
    frequencies, states = phonons.density_of_states()
    np.savetxt(
        folder / "dos.csv", np.column_stack([frequencies, states]), fmt="%.6f", delimiter=",",
        header="frequency_thz,states_per_thz_and_primitive_cell", comments="",
    )  # fmt: skip


def write_bands(path: Path, bands: Bands) -> None:
    """Write the distance along the path and the frequency of every band."""
    heads = [f"band_{number}_thz" for number in range(1, bands.frequencies.shape[1] + 1)]
    np.savetxt(
        path, np.column_stack([bands.distance, bands.frequencies]), fmt="%.6f", delimiter=",",
        header=",".join(["distance_per_angstrom", *heads]), comments="",
    )  # fmt: skip
