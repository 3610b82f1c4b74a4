"""How a run is going, read from its store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nucleate.report.columns import columns
from nucleate.report.done import missed_of
from nucleate.report.findings import read_findings
from nucleate.report.learned import learned_of
from nucleate.report.light import overview
from nucleate.report.ranking import LIKELY
from nucleate.report.render import row_dict
from nucleate.report.rows import ranked_rows
from nucleate.report.terminal import plain_fitted
from nucleate.report.views import SHORT_STATUS, STATUS
from nucleate.report.worked import best_arms_in_words, what_worked
from nucleate.run.events import LOST
from nucleate.run.lock import is_locked
from nucleate.run.notes import notes_of
from nucleate.signals import is_request
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nucleate.report.findings import Findings
    from nucleate.run.store import Store


UNPOLISHED = "The best structures are not polished; `nucleate refine` with the run folder does it."


def state_of(store: Store) -> str:
    """Return whether a run is running, or why it stopped, in words."""
    if is_locked(store.path.parent):
        return "running"
    return stop_reason_of(store) or "killed"


def stop_reason_of(store: Store) -> str | None:
    """Return why a run stopped last; None while it has not, and where it was killed."""
    stops = [data.get("reason") for _, kind, data in store.events() if kind in ("start", "stop")]
    return stops[-1] if stops else None


def proven_of(store: Store) -> list[str]:
    """Return what ``[stop] proven`` said when a run stopped last; empty where it was off."""
    stops = [data.get("proven", "") for _, kind, data in store.events() if kind == "stop"]
    return [clean(stops[-1])] if stops and stops[-1] else []


def times_of(store: Store) -> tuple[float, float]:
    """Return running time and processor time of a run in seconds, all starts together."""
    last_s, last_core_s = store.times()
    events = list(store.events())
    elapsed_s = max([last_s, *(time_s for time_s, _, _ in events)])
    core_s = max([last_core_s, *(data.get("core_s", 0.0) for _, _, data in events)])
    return elapsed_s, core_s


def lost_of(events: Iterable[tuple[float, str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return how many workers a run lost, and what part of its processor time is estimated."""
    lost = [data for _, kind, data in events if kind == LOST]
    return {"workers": len(lost), "core_s": sum(data.get("lost_core_s", 0.0) for data in lost)}


def read_status(
    store: Store, *, best: int, order: str = LIKELY, width: int = 1000
) -> dict[str, Any]:
    """Return the state of a run as JSON-ready facts; times in seconds.

    Parameters
    ----------
    store
        Open for reading; the run may still be writing to it.
    best
        How many of the best structures are listed: under ``best`` each as its row, under
        ``table`` as lines of text.
    order
        As in :func:`~nucleate.report.ranking.rank_structures`.
    width
        Characters of a line of ``table``.
    """
    is_search = store.meta.get("kind") != "relax"
    found = overview(store, best=best if is_search else 0, order=order)
    events = list(store.events())
    distances = [data.get("target", "") for _, kind, data in events if kind in ("start", "stop")]
    elapsed_s, core_s = times_of(store)
    rows = ranked_rows(found.ranked)
    findings = read_findings(store)
    stop_reason = stop_reason_of(store)
    missed = missed_of(store) if is_search else None
    policy, worked = what_worked(store) if is_search else ("", [])
    learned = learned_of(store, core_s)
    return {
        "formula": store.meta["formula"],
        "seed": store.meta["seed"],
        "running": is_locked(store.path.parent),
        "stop_reason": stop_reason,
        "elapsed_s": elapsed_s,
        "core_s": core_s,
        "structures": found.n_structures,
        "repeats": found.n_repeats,
        "surrogate": None if learned is None else learned.to_data(),
        "distinct": found.n_distinct if is_search else 0,
        "failures": dict(found.failures),
        "lost": lost_of(events),
        "target": distances[-1] if distances else "",
        "proven": " ".join(proven_of(store)),
        "notes": notes_of(store),
        "final": _final(findings, stop_reason),
        "missed": None if missed is None else asdict(missed),
        "done": "" if missed is None else missed.in_words(),
        "policy": policy,
        "worked": [row.to_data() for row in worked],
        "best": [row_dict(row, columns(*STATUS)) for row in rows],
        "rates": best_arms_in_words(policy, worked),
        "table": plain_fitted(rows, columns(*SHORT_STATUS), width),
    }


def _final(findings: Findings | None, stop_reason: str | None) -> list[str]:
    """Return what the final phase says, or that somebody ended the run before it."""
    if findings is not None:
        return list(findings.text)
    return [UNPOLISHED] if stop_reason is not None and is_request(stop_reason) else []
