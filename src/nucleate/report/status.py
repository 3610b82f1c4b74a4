"""How a run is going, read from its store."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from nucleate.report.columns import columns
from nucleate.report.content import tiers_of
from nucleate.report.ranking import rank_structures
from nucleate.report.render import plain_table, row_dict
from nucleate.report.rows import ranked_rows
from nucleate.report.views import SHORT_STATUS, STATUS
from nucleate.run.lock import is_locked

if TYPE_CHECKING:
    from nucleate.run.store import Store


def read_status(store: Store, *, best: int) -> dict[str, Any]:
    """Return the state of a run as JSON-ready facts; times in seconds.

    Parameters
    ----------
    store
        Open for reading; the run may still be writing to it.
    best
        How many of the best structures are listed: under ``best`` each as its row, under
        ``table`` as lines of text.
    """
    told = list(store.records())
    ranked = []
    if store.meta.get("kind") != "relax":
        tiers = tiers_of(told, store.tiers())
        ranked = rank_structures(
            (record for record, _ in told), tiers, added=tuple(store.added_tiers())
        )
    paid = [record for record, _ in told if record.outcomes]
    failures: Counter[str] = Counter()
    for record in paid:
        if record.failure is not None:
            failures[str(getattr(record.failure.outcome, "reason", ""))] += 1
    events = list(store.events())
    stops = [data.get("reason") for _, kind, data in events if kind in ("start", "stop")]
    core = [record.core_s for record, _ in told]
    core += [data.get("core_s", 0.0) for _, _, data in events]
    times = [record.finished_s for record, _ in told] + [time_s for time_s, _, _ in events]
    rows = ranked_rows(ranked[:best])
    return {
        "formula": store.meta["formula"],
        "seed": store.meta["seed"],
        "running": is_locked(store.path.parent),
        "stop_reason": stops[-1] if stops else None,
        "elapsed_s": max(times, default=0.0),
        "core_s": max(core, default=0.0),
        "structures": len(paid),
        "repeats": len(told) - len(paid),
        "distinct": len(ranked),
        "failures": dict(failures),
        "best": [row_dict(row, columns(*STATUS)) for row in rows],
        "table": plain_table(rows, columns(*SHORT_STATUS)),
    }
