"""Driver overhead: processor time of the driver against that of its workers.

Runs one search and compares the processor time that the driver spent (asking, telling, writing the
store) with that of its one worker, from the first finished structure on and from the 21st on, when
everything is loaded. With ``--model spp`` the worker has next to nothing to do. Linux only.

    python benchmarks/driver.py [FORMULA] [--max-atoms 20] [--model chgnet] [--structures 300]
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
from nucleate.run.pool import Pool
from nucleate.run.predict import build_ladder, build_search
from nucleate.run.settings import RunSettings
from nucleate.run.spec import spec_of
from nucleate.search.record import Record, SearchUpdate
from nucleate.search.stop import Stop

LOADED = 21
"""From this structure on everything is imported, compiled and read."""


class Stopwatch(Silent):
    """Notes the processor times at the first finished structure and at number `LOADED`."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.finished = 0
        self.marks: dict[int, tuple[float, float]] = {}

    def times(self) -> tuple[float, float]:
        """Return the processor time in seconds of the driver and of its workers."""
        ticks = 0
        for pid in self.pool.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return time.process_time(), ticks / os.sysconf("SC_CLK_TCK")

    def on_record(self, record: Record, update: SearchUpdate, *, replayed: bool) -> None:  # noqa: ARG002
        """Count a structure; a record that repeats another is none."""
        self.finished += bool(record.outcomes)
        if self.finished in (1, LOADED):
            self.marks.setdefault(self.finished, self.times())

    def summary(self) -> str:
        """Return the driver's time for a structure, and its share of the worker's time."""
        end, begin, loaded = self.times(), self.marks[1], self.marks[LOADED]
        whole = 1000 * (end[0] - begin[0]) / (self.finished - 1)
        late = 1000 * (end[0] - loaded[0]) / (self.finished - LOADED)
        share = 100 * (end[0] - begin[0]) / max(end[1] - begin[1], 0.01)
        return (
            f"driver {whole:.2f} ms per structure, {late:.2f} from number {LOADED} on, "
            f"{share:.2f} % of the worker's time"
        )


def main() -> None:
    """Run the search and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formula", nargs="?", default="SrTiO3")
    parser.add_argument("--max-atoms", type=int, default=20)
    parser.add_argument("--model", default="chgnet", help="kind of the engine")
    parser.add_argument("--structures", type=int, default=300)
    args = parser.parse_args()
    if args.structures <= LOADED:
        raise SystemExit(f"--structures: give more than {LOADED}")
    settings = RunSettings.from_dict(
        {
            "problem": {"formula": args.formula, "max_atoms": args.max_atoms},
            "tier": [{"name": args.model, "engine": {"kind": args.model}}],
        }
    )
    spec = spec_of(settings.tier, settings.problem.pressure_gpa, settings.run)
    with tempfile.TemporaryDirectory() as folder, Pool(spec, workers=1) as pool:
        pool.wait_until_ready()
        watch = Stopwatch(pool)
        with open_store(Path(folder), settings) as store:
            campaign = Campaign(
                StoreJournal(store),
                build_search(settings),
                build_ladder(settings),
                pool,
                stop=Stop(structures=args.structures),
                callback=watch,
            )
            campaign.run()
            print(f"{args.formula}, {watch.finished} structures: {watch.summary()}")


if __name__ == "__main__":
    main()
