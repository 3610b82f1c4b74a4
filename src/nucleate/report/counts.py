"""How far a search is, in words and as a share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.report.phases import duration

if TYPE_CHECKING:
    from nucleate.run.events import Progress


def heading(title: str, progress: Progress) -> str:
    """Return the title with the time that has passed and the time that is left."""
    left, limits = "", progress.stop
    if limits.time_s is not None:
        left = f", {duration(max(limits.time_s - progress.session_s, 0.0))} left"
    if limits.core_s is not None:
        left += f", {duration(max(limits.core_s - progress.core_s, 0.0))} of core time left"
    return f"{title}: {duration(progress.elapsed_s)}{left}"


def counts(progress: Progress) -> str:
    """Return one line with the numbers of a run."""
    search = progress.search
    minutes = max(progress.session_s, 1e-9) / 60.0
    parts = [
        f"{search.n_structures} structures",
        f"{progress.session_structures / minutes:.0f} per minute",
        f"{progress.in_flight} in flight",
        f"{search.since_best} since the last best",
        f"{search.n_repeats} repeats skipped",
    ]
    if progress.screened:
        parts.append(f"{progress.screened + search.n_structures} considered with the surrogate")
    if progress.stop.waits(progress.session_s):
        parts.insert(0, "the time is up, waiting for the first energy")
    if search.text:
        parts.append(search.text)
    if progress.failures:
        reasons = ", ".join(f"{n} {reason}" for reason, n in progress.failures.most_common())
        parts.append(f"failed: {reasons}")
    return ", ".join(parts)


def search_share(progress: Progress) -> tuple[float, float | None]:
    """Return how much of a search is done and the seconds left, by the rule that ends it first.

    Parameters
    ----------
    progress
        Of the campaign.

    Returns
    -------
    (float, float or None)
        Between 0 and 1; None where nobody can say yet.
    """
    stop, search = progress.stop, progress.search
    spent_s = max(progress.session_s, 1e-9)
    done, number = progress.session_structures, search.n_structures
    shares: list[tuple[float, float]] = []
    if stop.time_s is not None:
        shares.append((spent_s / stop.time_s, stop.time_s - spent_s))
    if stop.core_s is not None and progress.core_s > 0.0:
        left = (stop.core_s - progress.core_s) * spent_s / progress.core_s
        shares.append((progress.core_s / stop.core_s, left))
    for limit, reached in (
        (stop.structures, number),
        (stop.without_improvement, search.since_best),
    ):
        if limit is not None and done:
            shares.append((reached / limit, (limit - reached) * spent_s / done))
    if not shares:
        return 0.0, None
    share, left = min(shares, key=lambda item: item[1])
    return min(max(share, 0.0), 1.0), max(left, 0.0)
