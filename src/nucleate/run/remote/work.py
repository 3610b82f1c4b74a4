"""What happens on a node: a process of an engine keeps workers loaded and lets them work a while.

The engine calls :func:`work` with a task. The process that it runs in starts worker processes when
the first task comes and keeps them for the next ones, so models are loaded once. It watches them as
the driver of a single machine would: one that hangs is ended on its node, one that dies is
replaced. After the lease of the task, or before the node is taken away, unfinished relaxations go
back to the driver with the state of their optimiser.
"""

from __future__ import annotations

import atexit
import os
import platform
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nucleate import __version__
from nucleate.errors import REPORTED, NucleateError
from nucleate.run.cards import own_card
from nucleate.run.isolation import memory_of_machine_mb
from nucleate.run.remote.messages import (
    Reply,
    Task,
    digest,
    job_from,
    plain_finished,
    shallow,
    spec_from,
)
from nucleate.run.remote.node_pool import NodePool
from nucleate.text import clean

if TYPE_CHECKING:
    from nucleate.run.executor import Finished, Job

ENDS = "NUCLEATE_BLOCK_ENDS"
"""Variable with the time, in seconds since 1970, at which the node is taken away."""

MARGIN_S = 15.0
"""Seconds before that in which everything is sent back."""

ANSWER_S = 10.0
"""Seconds before those in which workers are asked for what has not ended."""

_idle: dict[str, list[_Kept]] = {}
_lock = threading.Lock()


class _Kept:
    """Workers that are kept between tasks, and how much processor time was charged."""

    def __init__(self, task: Task) -> None:
        spec = spec_from(task.spec, _memory_mb(task))
        self.pool = NodePool(replace(spec, devices=own_card(spec.devices)))
        self.charged_s = 0.0
        self.free: list[int] = []
        self.is_open = True


def work(data: dict[str, Any]) -> dict[str, Any]:
    """Relax the jobs of a task for a while; return a :class:`Reply` as plain values.

    Parameters
    ----------
    data
        A :class:`Task` as plain values.
    """
    if data.get("version") != __version__:
        return shallow(_reply())
    task = Task(**{key: value for key, value in data.items() if key != "version"})
    key = digest(data["spec"])
    kept = None
    try:
        kept = _take(key) or _Kept(task)
        reply = _worked(kept, task)
    except Exception as error:  # noqa: BLE001  whatever it is, the driver must hear of it
        if kept is not None:
            kept.pool.close()
        kind = next((kind.__name__ for kind in REPORTED if isinstance(error, kind)), "")
        known = isinstance(error, NucleateError)
        message = clean(error) if known else f"{type(error).__name__}: {clean(error)}"
        return shallow(
            _reply(error={"kind": kind, "class": type(error).__name__, "message": message})
        )
    if kept.is_open:
        _give_back(key, kept)
    return shallow(reply)


def _worked(kept: _Kept, task: Task) -> Reply:
    """Let the workers work; their pool is empty afterwards, or closed."""
    pool = kept.pool
    levels = pool.wait_until_ready()
    kept.free = kept.free or pool.free()
    for data in task.jobs:
        pool.submit(job_from(data))
    has_time = _until_block_ends() > ANSWER_S
    finished, unfinished = _relaxed(pool, task)
    abandoned: list[Job] = []
    core_s = pool.core_s
    if pool.n_given:
        abandoned = pool.abandon()
        kept.is_open = False
    reply = _reply(
        levels=levels,
        free=kept.free,
        finished=plain_finished(finished),
        unfinished=[[job.key, job.unfinished] for job in (*unfinished, *abandoned)],
        abandoned=[job.key for job in abandoned] if has_time else [],
        losses=[loss.message for loss in pool.losses],
        core_s=core_s - kept.charged_s,
    )
    pool.losses.clear()
    kept.charged_s = core_s
    return reply


def _relaxed(pool: NodePool, task: Task) -> tuple[list[Finished], list[Job]]:
    """Return what has ended within the lease, and what comes back; the rest has no time left."""
    finished: list[Finished] = []
    unfinished: list[Job] = []
    end = time.monotonic() + task.lease_s
    while pool.n_given and (left_s := _until_block_ends()) > 0.0:
        is_half_free = finished and len(task.jobs) >= 4 and 2 * pool.n_given <= len(task.jobs)
        if is_half_free or time.monotonic() >= end or left_s < ANSWER_S:
            pool.recall()
        pool.feed()
        finished += pool.poll(min(max(end - time.monotonic(), 0.05), 0.5, left_s))
        unfinished += pool.taken_back()
    return finished, unfinished


def _reply(**values: Any) -> Reply:
    return Reply(__version__, platform.node(), time.time(), **values)


def _until_block_ends() -> float:
    """Return the seconds for which work may still be done on this node."""
    try:
        return float(os.environ[ENDS]) - time.time() - MARGIN_S
    except (KeyError, ValueError):
        return float("inf")


def _memory_mb(task: Task) -> int | None:
    """Return the memory of a worker: nine tenths of its part of the node, at least 2 GB."""
    whole = memory_of_machine_mb() if task.limit_memory else None
    return None if whole is None else max(int(0.9 * whole / task.workers_per_node), 2048)


def _take(key: str) -> _Kept | None:
    """Return workers that are kept for this specification; those of others are ended."""
    with _lock:
        for other in [name for name in _idle if name != key]:
            for kept in _idle.pop(other):
                kept.pool.close()
        found = _idle.get(key)
        return found.pop() if found else None


def _give_back(key: str, kept: _Kept) -> None:
    with _lock:
        _idle.setdefault(key, []).append(kept)


def close_all() -> None:
    """End all workers that are kept."""
    with _lock:
        for key in list(_idle):
            for kept in _idle.pop(key):
                kept.pool.close()


atexit.register(close_all)
