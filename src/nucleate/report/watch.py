"""A running search on a terminal, read from its store: also from another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.report.columns import columns
from nucleate.report.content import check_is_search
from nucleate.report.curve import curve
from nucleate.report.done import missed_of
from nucleate.report.history import history_of
from nucleate.report.learned import learned_of
from nucleate.report.light import overview
from nucleate.report.phases import duration
from nucleate.report.rows import ranked_rows
from nucleate.report.status import stop_reason_of, times_of
from nucleate.report.terminal import plain_fitted
from nucleate.report.views import BOARD
from nucleate.report.worked import best_arms_in_words, what_worked
from nucleate.run.lock import is_locked
from nucleate.run.store import Store
from nucleate.text import clean

if TYPE_CHECKING:
    from nucleate.report.history import History

SOURCES = 5


def watched(
    folder: str | Path, *, width: int, height: int, plain: bool = False
) -> tuple[str, bool]:
    """Return the state of a run as lines of text, and whether it is still running.

    Parameters
    ----------
    folder
        The run folder; nothing in it is locked or changed.
    width, height
        Of the terminal, in characters and lines.
    plain
        Use ASCII only.

    Returns
    -------
    (str, bool)
        The lines, each at most ``width`` characters, and whether the driver still runs.

    Raises
    ------
    InputError
        If the folder holds no search.
    """
    with Store.read(folder) as store:
        check_is_search(store, folder)
        meta = store.meta
        history = history_of(store, store.tiers_seen())
        rows = ranked_rows(overview(store, best=max(3, min(10, height - 14))).ranked)
        elapsed, core = times_of(store)
        reason = stop_reason_of(store)
        policy, worked = what_worked(store)
        missed = missed_of(store)
        learned = learned_of(store, core)
        running = is_locked(Path(folder))
    state = "running" if running else f"stopped: {reason or 'killed'}"
    head = (
        f"{clean(str(meta.get('formula', '')))}: {clean(state)}, {duration(elapsed)}"
        f"{_limits(meta, elapsed, core) if running else ''}, "
        f"{history.n_records - history.n_repeats} structures"
    )
    lines: list[str | None] = [
        head,
        *_curve(history, width, max(3, min(8, height - len(rows) - 9)), plain=plain),
    ]
    if rows:
        lines += ["", *plain_fitted(rows, columns(*BOARD), width).splitlines()]
    done = None if missed is None else missed.in_words()
    surrogate = None if learned is None else clean(learned.in_words())
    rates = best_arms_in_words(policy, worked) or None
    lines += ["", done, surrogate, _sources(history), rates, _failures(history)]
    return "\n".join(line[:width] for line in lines if line is not None), running


def _limits(meta: dict[str, Any], elapsed: float, core: float) -> str:
    """Return the time that is left, where the input limits it."""
    stop = (meta.get("input") or {}).get("stop") or {}
    parts: list[str] = []
    for key, used, what in (("time", elapsed, ""), ("core_time", core, " of processor time")):
        limit = stop.get(key)
        if isinstance(limit, int | float):
            parts.append(f", {duration(max(limit - used, 0.0))}{what} left")
    return "".join(parts)


def _curve(history: History, width: int, height: int, *, plain: bool) -> list[str]:
    found = history.trajectory
    if found is None:
        return ["no energies yet"]
    finite = found.enthalpies[np.isfinite(found.enthalpies)]
    lowest = float(finite.min())
    best = np.fmin.accumulate(finite)
    window = min(max(float(best[0]) - lowest, 1e-3), 0.6 if found.unit == "eV" else np.inf)
    unit = "eV/atom" if found.unit == "eV" else "arb. unit/atom"
    bars = curve(finite, width=min(width, 100), height=height, window=window, plain=plain)
    text = f"lowest {lowest:.4f} {unit} by {clean(str(history.searched))}"
    if found.unit == "eV":
        text += f"; the bars reach up to {1000 * window:.0f} meV/atom above it"
    return [*bars, text]


def _sources(history: History) -> str:
    most = sorted(history.sources.items(), key=lambda item: (-item[1][2], -item[1][0]))
    words = [f"{clean(name)} {new} of {tried}" for name, (tried, _, new) in most[:SOURCES]]
    return f"new best structures by source: {', '.join(words) or 'none'}"


def _failures(history: History) -> str:
    counts: dict[str, int] = {}
    for (_, reason), number in history.failures.items():
        counts[reason] = counts.get(reason, 0) + number
    words = [f"{number} {clean(reason)}" for reason, number in counts.items()]
    return f"failed: {', '.join(words) or 'none'}"
