"""What the FUSE2 paper reports for the eleven compounds."""

from __future__ import annotations

import csv
from importlib import resources


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


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files("nucleate.benchmark").joinpath(f"data/{name}").read_text("utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
