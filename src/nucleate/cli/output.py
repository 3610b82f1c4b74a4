"""What commands print."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from nucleate.cli.waiting import end_waiting

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.api import PhaseMap, Run
    from nucleate.api.display import Display

PLAIN_WIDTH = 140
SHOWN = 8


def console() -> Console:
    """Return the console of standard output, wide where it is no terminal."""
    from rich.console import Console

    return Console(
        highlight=False, markup=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH
    )


def print_ranking(run: Run, best: int, order: str = "likely") -> None:
    """Print distinct structures with the tier each is ranked on, and what failed above it."""
    from nucleate.api.display import ranking_table

    console().print(ranking_table(run, best, console().width, order))
    if run.findings is not None:
        for line in run.findings.text:
            console().print(line)


def live_or_lines() -> Display:
    """Return a live picture where standard output is a terminal, else lines.

    Lines too where the log goes to the terminal.
    """
    from nucleate.api.display import LiveDisplay, PlainDisplay

    is_logged = bool(logging.getLogger("nucleate").handlers)
    live = sys.stdout.isatty() and not is_logged
    end_waiting()
    return LiveDisplay() if live else PlainDisplay(sys.stdout)


def export_at_end(found: Run | PhaseMap, order: str = "likely") -> str:
    """Write the files of a run or map that has ended; return what else there is to say.

    After a signal only those that take a moment are written, and the rest is named.
    """
    from nucleate.api import PhaseMap
    from nucleate.signals import is_asked_to_stop

    is_asked = is_asked_to_stop()
    if isinstance(found, PhaseMap):
        found.export(quickly=is_asked)
    elif is_asked:
        found.export_quickly(order=order)
    else:
        found.export(order=order)
    if not is_asked:
        return ""
    return (
        "What takes longest is not written after a stop: "
        f"`nucleate export {found.folder}` writes all files."
    )


def print_end(run: Run, facts: dict[str, Any], order: str = "likely") -> None:
    """Print how a run ended and its best structures.

    Parameters
    ----------
    run, facts
        The run and its state.
    order
        Of the structures.
    """
    from nucleate.api.display import duration

    print_ranking(run, SHOWN, order)
    text = console()
    number, failed = facts["structures"], sum(facts["failures"].values())
    text.print(
        f"Stopped: {facts['stop_reason']}. {duration(facts['elapsed_s'])} of running time, "
        f"{number} structure{'' if number == 1 else 's'}, {failed} failed, "
        f"{facts['repeats']} repeats skipped."
    )
    if run.findings is None:
        for line in facts["final"]:
            text.print(line)
    if facts["target"]:
        text.print(f"{facts['target'][:1].upper()}{facts['target'][1:]}.")
    if facts["proven"]:
        text.print(facts["proven"])
    if facts["failures"]:
        reasons = sorted(facts["failures"].items(), key=lambda item: -item[1])
        text.print("Failed: " + ", ".join(f"{count} {reason}" for reason, count in reasons))
