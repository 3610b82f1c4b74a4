r"""What limits and single evaluations would have spared in searches with a surrogate.

    python benchmarks/learned_search.py run --out learned
    python benchmarks/surrogate_limits.py learned/*-learned

Reads the promising candidates that finished runs relaxed and learned from, whose first evaluation
was at the minimum of the surrogate, and applies the present rules to them with what was known then:
how many lie above the limit, how many of the others the first tier would have refuted, how many
evaluations their relaxations took, and how many of them ended within 50 meV/atom of the lowest of
the run. Those below the limit are divided by their leverage among the last 50 promising ones.
Prints a row for each composition and one for all, as Markdown: candidates / evaluations / how many
ended near the lowest.
"""

from __future__ import annotations

import sys
from collections import defaultdict, deque
from pathlib import Path

import numpy as np

from nucleate.benchmark.report import markdown_table
from nucleate.relax.outcome import Relaxed
from nucleate.run.learning.evidence import INTEREST_EV, Evidence, Told
from nucleate.run.learning.tables import FINISHES, Decision, LearningTables
from nucleate.run.store import Store
from nucleate.surrogate.packing import unpack

GROUPS = ("all", "above the limit", "low leverage", "refuted ", "high leverage", "refuted")
ALL = "all compositions"


def main() -> None:
    """Print the table of the runs given."""
    found: dict[str, dict[str, np.ndarray]] = defaultdict(
        lambda: {group: np.zeros(3, dtype=int) for group in GROUPS}
    )
    for name in sys.argv[1:]:
        folder = Path(name)
        for groups, values in promising(folder):
            for group in groups:
                found[folder.name.partition("-")[0]][group] += values
                found[ALL][group] += values
    rows = [
        {"composition": key, **{group: " / ".join(map(str, row[group])) for group in GROUPS}}
        for key, row in sorted(found.items(), key=lambda item: item[0] == ALL)
    ]
    print(markdown_table(rows))


def promising(folder: Path) -> list[tuple[list[str], np.ndarray]]:
    """Return the groups of each promising candidate with (1, evaluations, whether it ended low)."""
    with Store.read(folder) as store:
        tables = LearningTables(store)
        considered = {item.number: item for item in tables.considered()}
        frames = tables.frames(-1, 1 << 60)
        outcomes = [
            (record.number, record.outcomes[0].outcome)
            for record, _ in store.records()
            if record.outcomes
        ]
    evidence, leverages = Evidence(), deque(maxlen=50)
    rows: list[tuple[list[str], int, float]] = []
    for number, outcome in outcomes:
        item = considered.get(number)
        first = outcome.enthalpy_per_atom if isinstance(outcome, Relaxed) else None
        limits = evidence.limits()
        if item is not None and item.decision is Decision.PROMISING and None not in (limits, first):
            points = unpack(frames[number][0]) if number in frames else []
            if len(points) > 1:  # one frame is that of a compressed copy
                groups = groups_of(
                    item.enthalpy, points[0].energy_per_atom, item.leverage, limits, leverages
                )
                rows.append((groups, outcome.evaluations, first))
        if item is not None and item.decision in FINISHES and item.leverage is not None:
            leverages.append(item.leverage)
        evidence.take(None if item is None else Told(item.fit, item.enthalpy), first)
    lowest = evidence.best + INTEREST_EV
    return [(groups, np.array([1, count, first < lowest])) for groups, count, first in rows]


def groups_of(
    surrogate: float,
    point: float,
    leverage: float | None,
    limits: tuple[float, float],
    leverages: deque[float],
) -> list[str]:
    """Return the groups of a candidate by its energies (eV/atom) and its leverage."""
    if surrogate > limits[0]:
        return ["all", "above the limit"]
    is_high = sum(other > (leverage or 0.0) for other in leverages) < 0.5 * len(leverages)
    refuted = ["refuted" if is_high else "refuted "] if point > limits[1] else []
    return ["all", "high leverage" if is_high else "low leverage", *refuted]


if __name__ == "__main__":
    main()
