"""What the driver sends to a node and what comes back, as plain values that any engine carries."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.crystal import Crystal
from nucleate.run.codec import checked, decode, encode, from_json, to_json
from nucleate.run.executor import Finished, Job
from nucleate.run.process import WorkerSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.relax.outcome import Outcome

Plain = dict[str, Any]

OWN = ""
"""Interpreter of a tier that has no other one than that of its node."""


@dataclass(frozen=True, slots=True)
class Task:
    """Some jobs for one worker, which returns what is finished after a while.

    Attributes
    ----------
    spec : dict
        See :func:`plain_spec`.
    jobs : list of dict
        See :func:`plain_job`; none: only the levels of theory are wanted.
    lease_s : float
        Seconds after which unfinished jobs come back, so that a lost worker loses no more.
    limit_memory : bool
        Whether the worker is limited to its part of the memory of its node.
    workers_per_node : int
        Workers that share a node.
    """

    spec: Plain
    jobs: list[Plain] = field(default_factory=list)
    lease_s: float = 30.0
    limit_memory: bool = False
    workers_per_node: int = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker has to say after a while.

    Attributes
    ----------
    version, host : str
        Of nucleate, and of the node.
    clock_s : float
        Time of the node, in seconds since 1970.
    levels : list of dict
        Levels of theory of the tiers.
    free : list of int
        Crystals of each tier that a worker holds at a time.
    finished : list
        Pairs of key and outcome.
    unfinished : list
        Pairs of key and relaxation, None for one that begins again.
    abandoned : list of int
        Keys of those that had begun, could not be given up, and had no time left on the node.
    losses : list of str
        What happened to worker processes of the node.
    core_s : float
        Processor time in seconds since the last reply of this worker.
    error : dict
        ``kind`` and ``message`` of what keeps the engines from being used.
    """

    version: str
    host: str
    clock_s: float
    levels: list[dict[str, str]] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    finished: list[Any] = field(default_factory=list)
    unfinished: list[Any] = field(default_factory=list)
    abandoned: list[int] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    core_s: float = 0.0
    error: dict[str, str] | None = None


def plain_spec(spec: WorkerSpec) -> Plain:
    """Return how workers are started as JSON-ready values, without what is of this machine."""
    pythons = ["" if python == sys.executable else python for python in spec.pythons]
    return {**asdict(spec), "pythons": pythons, "memory_mb": None}


def spec_from(data: Mapping[str, Any], memory_mb: int | None) -> WorkerSpec:
    """Undo :func:`plain_spec` on a node."""
    values = {
        key: tuple(value) if isinstance(value, list) else value for key, value in data.items()
    }
    values["pythons"] = tuple(python or sys.executable for python in data["pythons"])
    return WorkerSpec(**{**values, "memory_mb": memory_mb})


def shallow(message: Task | Reply) -> Plain:
    """Return a message as a dictionary; what it holds is not copied."""
    return {item.name: getattr(message, item.name) for item in fields(message)}


def digest(data: Mapping[str, Any]) -> str:
    """Return what changes when a specification does."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def plain_job(job: Job) -> Plain:
    """Return a job as JSON-ready values."""
    data: Plain = {"key": job.key, "tier": job.tier, "crystal": job.crystal.to_dict()}
    if job.fixed is not None:
        data["fixed"] = job.fixed.tolist()
    if job.options:
        data["options"] = dict(job.options)
    if job.unfinished is not None:
        data["unfinished"] = job.unfinished
    return data


def job_from(data: Mapping[str, Any]) -> Job:
    """Undo :func:`plain_job`."""
    fixed = None if data.get("fixed") is None else np.array(data["fixed"], dtype=bool)
    crystal = Crystal.from_dict(data["crystal"])
    options, unfinished = data.get("options", {}), data.get("unfinished")
    return Job(data["key"], data["tier"], crystal, fixed, options, unfinished)


def plain_finished(finished: Sequence[Finished]) -> list[list[Any]]:
    """Return what has ended as JSON-ready values."""
    return [[item.job.key, to_json(encode(item.outcome))] for item in finished]


def outcome_from(data: Mapping[str, Any]) -> Outcome:
    """Undo :func:`plain_finished` for one outcome."""
    return checked(decode(from_json(data)))
