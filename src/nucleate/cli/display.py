"""What a run in progress shows: a live table, or plain lines where there is no terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from nucleate.cli.stages import Stages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from nucleate.report.ranking import RankedStructure
    from nucleate.run.campaign import Summary
    from nucleate.run.events import Progress
    from nucleate.run.settings import RunSettings
    from nucleate.search.record import Record, SearchUpdate, TierOutcome

SHOWN = 8
PLAIN_EVERY_S = 30.0
PLAIN_WIDTH = 140
SYMPREC = 0.1


@dataclass(frozen=True, slots=True)
class Line:
    """One distinct structure of the table of the best; ``original`` is its first record."""

    number: int
    original: int
    depth: int
    enthalpy: float
    unit: str
    space_group: str
    n_atoms: int
    source: str
    tier: str = ""

    @property
    def order(self) -> tuple[int, float]:
        """Sorts the best first."""
        return -self.depth, self.enthalpy


class Board:
    """Keeps what is shown of a run; base of the displays.

    A :class:`~nucleate.run.events.Callback`.
    """

    def __init__(self, settings: RunSettings, folder: Path) -> None:
        self._title = f"{settings.problem.formula} in {folder}"
        self._depths = {tier.name: depth for depth, tier in enumerate(settings.tier)}
        self.best: list[Line] = []
        self._stages = Stages()

    def on_stage(self, text: str, done: int, total: int) -> None:
        """Show how far a long preparation is."""
        self._stages(text, done, total)

    def on_note(self, text: str) -> None:
        """Print something that is known of the problem."""
        sys.stderr.write(f"{text}\n")

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:  # noqa: ARG002
        """Take note of a finished record; return nothing."""
        relaxed, tier = record.relaxed, record.tier
        if relaxed is None or tier is None:
            return
        depth = self._depths.get(tier, 0)
        place = (-depth, relaxed.enthalpy_per_atom)
        original = record.number if update.duplicate_of is None else update.duplicate_of
        others = [line for line in self.best if line.original != original]
        if any(line.original == original and line.order <= place for line in self.best):
            return
        if len(others) == SHOWN and place >= others[-1].order:
            return
        from nucleate.crystal.symmetry import space_group

        line = Line(
            number=record.number,
            original=original,
            depth=depth,
            enthalpy=relaxed.enthalpy_per_atom,
            unit=relaxed.level.unit,
            space_group=space_group(relaxed.crystal, SYMPREC)[1],
            n_atoms=relaxed.crystal.n_atoms,
            source=record.candidate.origin.source,
            tier=_tier_words(tier, record.stopped_by),
        )
        self.best = sorted([*others, line], key=lambda item: item.order)[:SHOWN]

    def on_progress(self, progress: Progress) -> None:
        """Show the present state."""


class PlainDisplay(Board):
    """Prints a line for every new best structure, and one from time to time."""

    def __init__(self, settings: RunSettings, folder: Path, stream: TextIO) -> None:
        super().__init__(settings, folder)
        self._stream = stream
        self._last_s = 0.0
        self._write(self._title)

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:
        """Print a new best structure."""
        super().on_record(record, update, replayed=replayed)
        if update.new_minimum and not replayed:
            line = self.best[0]
            self._write(
                f"{duration(record.finished_s):>8}  {line.enthalpy:10.4f} {line.unit}/atom  "
                f"{line.space_group}  {line.n_atoms} atoms  record {line.number}, {line.source}"
            )

    def on_progress(self, progress: Progress) -> None:
        """Print a line if the last one is long ago."""
        if progress.session_s - self._last_s >= PLAIN_EVERY_S:
            self._last_s = progress.session_s
            self._write(f"{duration(progress.elapsed_s):>8}  {counts(progress)}")

    def _write(self, text: str) -> None:
        print(text, file=self._stream, flush=True)


class LiveDisplay(Board):
    """A table on the terminal that is redrawn twice per second."""

    def __init__(self, settings: RunSettings, folder: Path) -> None:
        from rich.live import Live

        super().__init__(settings, folder)
        self._live = Live(auto_refresh=False, transient=True)
        self._last_s = -1.0

    def __enter__(self) -> LiveDisplay:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def on_progress(self, progress: Progress) -> None:
        """Draw the table, at most twice per second."""
        if progress.session_s - self._last_s >= 0.5:
            self._last_s = progress.session_s
            self._live.update(self._drawing(progress), refresh=True)

    def _drawing(self, progress: Progress) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        left, limits = "", progress.stop
        if limits.time_s is not None:
            left = f", {duration(max(limits.time_s - progress.session_s, 0.0))} left"
        if limits.core_s is not None:
            left += f", {duration(max(limits.core_s - progress.core_s, 0.0))} of core time left"
        head = f"{self._title}: {duration(progress.elapsed_s)}{left}"
        return Group(Text(head, style="bold"), best_table(self.best), counts(progress))


def best_table(lines: list[Line]) -> RenderableType:
    """Return the table of the best structures."""
    from rich.table import Table

    unit = f"{lines[0].unit}/atom" if lines else "eV/atom"
    table = Table(box=None, pad_edge=False)
    for name in (unit, "above best"):
        table.add_column(name, justify="right")
    with_tiers = len({line.tier for line in lines}) > 1 or any("(" in line.tier for line in lines)
    for name in ("space group", "atoms", "record", "from", *(("tier",) if with_tiers else ())):
        table.add_column(name)
    for line in lines:
        above = line.enthalpy - lines[0].enthalpy
        table.add_row(
            f"{line.enthalpy:.4f}",
            f"{above:.4f}" if line.depth == lines[0].depth else "",
            line.space_group,
            str(line.n_atoms),
            str(line.number),
            line.source,
            *((line.tier,) if with_tiers else ()),
        )
    return table


def print_ranking(ranked: Sequence[RankedStructure]) -> None:
    """Print distinct structures with the tier each is ranked on, and what failed above it."""
    from rich.console import Console

    from nucleate.report.columns import columns
    from nucleate.report.render import terminal_table
    from nucleate.report.rows import ranked_rows
    from nucleate.report.views import SHORT_RANKING

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(terminal_table(ranked_rows(ranked), columns(*SHORT_RANKING)))


def _tier_words(tier: str, failed: TierOutcome | None) -> str:
    """Return the tier on which a structure is ranked, and the one above that failed."""
    if failed is None:
        return tier
    return f"{tier} ({failed.tier} failed: {getattr(failed.outcome, 'reason', '')})"


def counts(progress: Progress) -> str:
    """Return one line with the numbers of a run."""
    search = progress.search
    minutes = max(progress.session_s, 1e-9) / 60.0
    parts = [
        f"{search.n_structures} structures",
        f"{progress.session_structures / minutes:.0f} a minute",
        f"{progress.in_flight} in flight",
        f"{search.since_best} since the last best",
        f"{search.n_repeats} repeats skipped",
    ]
    if search.text:
        parts.append(search.text)
    if progress.failures:
        reasons = ", ".join(f"{n} {reason}" for reason, n in progress.failures.most_common())
        parts.append(f"failed: {reasons}")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a time as ``1:02:03`` or ``2:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def watching(settings: RunSettings, folder: Path) -> Iterator[Board]:
    """Give the display that suits standard output."""
    if sys.stdout.isatty():
        with LiveDisplay(settings, folder) as display:
            yield display
    else:
        yield PlainDisplay(settings, folder, sys.stdout)


def print_summary(summary: Summary, board: Board) -> None:
    """Print how a run ended and its best structures."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    console.print(best_table(board.best))
    console.print(
        f"Stopped: {summary.reason}. {duration(summary.progress.elapsed_s)} of running time, "
        f"{summary.n_structures} structures relaxed, {summary.n_repeats} repeats skipped."
    )
    if summary.progress.failures:
        reasons = summary.progress.failures.most_common()
        console.print("Failed: " + ", ".join(f"{n} {reason}" for reason, n in reasons))
