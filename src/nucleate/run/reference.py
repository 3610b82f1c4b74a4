"""The energy of the structure that a run is to find, by the last tier of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.symmetry import SYMPREC_LADDER, symmetrised
from nucleate.relax.outcome import Relaxed
from nucleate.run.executor import Job
from nucleate.search.target import Aim

if TYPE_CHECKING:
    from nucleate.relax.outcome import Outcome
    from nucleate.run.executor import Executor
    from nucleate.run.store import Store
    from nucleate.search.target import Target

EVENT = "target"
"""Kind of the event that holds it."""

KEY = -1
POLL_S = 0.2


def aimed(store: Store, executor: Executor, target: Target, tiers: tuple[str, ...]) -> Target:
    """Return a target with the geometry and enthalpy that the last tier gives it.

    It is computed once for each run. Where the tier fails on it, the target stays as it is: then
    the match decides alone.

    Parameters
    ----------
    store
        Of the run; the enthalpy is kept there.
    executor
        Who relaxes; ready.
    target
        What is to be found.
    tiers
        Names of the tiers of the run.
    """
    known = [data for _, _, data in store.events(EVENT) if data.get("tier") == tiers[-1]]
    if known:
        return target.with_aim(Aim.from_data(known[-1]))
    start, _ = symmetrised(target.crystal, SYMPREC_LADDER[-1:])
    outcome = _relaxed(executor, Job(KEY, len(tiers) - 1, start))
    if not isinstance(outcome, Relaxed):
        store.add_event(0.0, "target-failed", {"message": f"{outcome.reason}: {outcome.message}"})
        store.commit()
        return target
    aim = Aim(tiers[-1], outcome.enthalpy_per_atom, outcome.crystal)
    store.add_event(0.0, EVENT, aim.to_data())
    store.commit()
    return target.with_aim(aim)


def _relaxed(executor: Executor, job: Job) -> Outcome:
    executor.submit(job)
    while True:
        executor.feed()
        for item in executor.poll(POLL_S):
            return item.outcome
