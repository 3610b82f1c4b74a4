"""Driver overhead: processor time of the driver against that of its workers, with CHGNet.

Runs one search and compares the processor time that the driver spent (asking, telling, writing the
store) with that of its one worker, from the first finished structure on. Linux only.

    python benchmarks/driver.py [FORMULA] [--max-atoms 20] [--time 90]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from nucleate.run.campaign import Campaign
from nucleate.run.events import Silent
from nucleate.run.folder import open_store
from nucleate.run.journal import StoreJournal
from nucleate.run.pool import Pool, wait_until_ready
from nucleate.run.predict import build_ladder, build_search, worker_spec
from nucleate.run.settings import RunSettings
from nucleate.search.record import Record, SearchUpdate
from nucleate.search.stop import Stop


class Stopwatch(Silent):
    """Notes the processor times once the first structure is finished."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.start: tuple[float, float] | None = None

    def times(self) -> tuple[float, float]:
        """Return the processor time in seconds of the driver and of its workers."""
        ticks = 0
        for pid in self.pool.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return time.process_time(), ticks / os.sysconf("SC_CLK_TCK")

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:  # noqa: ARG002
        """Start at the first record, when everything is imported and compiled."""
        if self.start is None:
            self.start = self.times()


def main() -> None:
    """Run the search and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formula", nargs="?", default="SrTiO3")
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--time", type=float, default=90.0)
    args = parser.parse_args()
    settings = RunSettings.from_dict(
        {"problem": {"formula": args.formula, "max_atoms": args.max_atoms}}
    )
    with tempfile.TemporaryDirectory() as folder, Pool(worker_spec(settings), workers=1) as pool:
        wait_until_ready(pool)
        watch = Stopwatch(pool)
        with open_store(Path(folder), settings) as store:
            campaign = Campaign(
                StoreJournal(store),
                build_search(settings),
                build_ladder(settings),
                pool,
                stop=Stop(time_s=args.time),
                callback=watch,
            )
            summary = campaign.run()
        end = watch.times()
    if watch.start is None:
        raise SystemExit("no structure was finished: give more time")
    driver, workers = (after - before for after, before in zip(end, watch.start, strict=True))
    print(
        f"{args.formula}: {summary.n_structures} structures, processor time of the worker "
        f"{workers:.1f} s, of the driver {driver:.2f} s: {100 * driver / workers:.2f} %"
    )


if __name__ == "__main__":
    main()
