"""What the FUSE2 paper reports for the eleven compounds."""

from __future__ import annotations

import csv
from importlib import resources

PAPER_GAIN = {"runs": 66, "improved": 58, "mean gain meV/atom": "155", "s.d.": "209"}
"""Gain of the search over the lowest start of the graph network, over all runs that begin there."""


def paper_energies() -> dict[tuple[str, str], float]:
    """Return the published lowest energies (PBE, eV/atom) by compound and experiment."""
    return {
        (row["compound"], row["experiment"]): float(row["energy_ev_per_atom"])
        for row in _rows("paper_energies.csv")
    }


def paper_speedups() -> dict[tuple[str, str], float]:
    """Return the published speed-ups against fgen by compound (or ``mean``) and experiment."""
    return {
        (row["compound"], row["experiment"]): float(row["speedup"])
        for row in _rows("paper_speedups.csv")
    }


def published_rows() -> list[dict[str, str]]:
    """Return the published energies (PBE, eV/atom), a row for each compound."""
    energies = paper_energies()
    names = sorted({name for _, name in energies})
    return [
        {"compound": compound}
        | {
            name: f"{energies[compound, name]:.2f}" if (compound, name) in energies else ""
            for name in names
        }
        for compound in dict.fromkeys(compound for compound, _ in energies)
    ]


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("nucleate.benchmark").joinpath(f"data/{name}").read_text("utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
