"""Whole campaigns with toy engines; as a script, a driver that tests can kill."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path

from nucleate.generate.blocks import BlocksGenerator
from nucleate.generate.mix import GeneratorMix
from nucleate.plugins import find
from nucleate.relax.ladder import Ladder
from nucleate.relax.settings import TierSettings
from nucleate.run.campaign import Campaign
from nucleate.run.folder import open_store
from nucleate.run.journal import StoreJournal
from nucleate.run.lock import locked
from nucleate.run.process import WorkerSpec
from nucleate.run.settings import RunSettings
from nucleate.run.starting import ExecutorContext
from nucleate.run.store import Store
from nucleate.search.context import SearchContext
from nucleate.search.stop import Stop, StopSettings
from nucleate.signals import stopping_on_signals

HERE = str(Path(__file__).resolve().parent)


def settings(**search):
    values = {"population": 5, "new_fraction": 0.3, "seed": 1, **search}
    stop = {key: values.pop(key) for key in tuple(values) if key in StopSettings.model_fields}
    values = {key: value for key, value in values.items() if value is not None}
    problem = {"formula": "CaTiO3", "max_atoms": 10}
    data = {"problem": problem, "search": values, "stop": stop}
    return RunSettings.from_dict(data)


def drive(folder, tiers=({},), *, workers=1, pythons=(), limit_s=60.0, time_limit_s=None,
          core_limit_s=None, callback=None, promote=None, executor=None, **search):  # fmt: skip
    """Run or continue a campaign on toys; return its summary."""
    run = settings(**search)
    names = [tier.get("name", "toy") for tier in tiers]
    spec = WorkerSpec(
        tiers=tuple(tiers),
        step_limits_s=(limit_s,) * len(tiers),
        factory="toys:build",
        search_path=(HERE,),
        pythons=tuple(pythons),
    )
    space = run.problem.space()
    source = GeneratorMix([(BlocksGenerator(space), 1.0)])
    search_ = run.search.build(SearchContext(space, source, tiers=tuple(names)))
    rules = promote or [{}] * len(names)
    ladder = Ladder([TierSettings(name=n, promote=r) for n, r in zip(names, rules, strict=True)])
    with (
        locked(Path(folder)),
        open_store(Path(folder), run) as store,
        ExitStack() as stack,
    ):
        context = ExecutorContext(spec, workers, tuple(names), Path(folder))
        chosen = find((executor or {"kind": "local"})["kind"], "executors")
        pool = chosen.model_validate(executor or {}).build(context)
        stack.callback(pool.close)
        pool.wait_until_ready()
        campaign = Campaign(
            StoreJournal(store),
            search_,
            ladder,
            pool,
            stop=Stop(
                run.stop.structures, run.stop.without_improvement, time_limit_s, core_limit_s
            ),
            seed=run.seed,
            space=space,
            callback=callback,
        )
        with stopping_on_signals(campaign.request_stop):
            return campaign.run()


def told(folder):
    """Return the records and verdicts of a store."""
    with Store.read(folder) as store:
        return list(store.records())


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    print("started", flush=True)
    summary = drive(**arguments)
    print(summary.reason, flush=True)
