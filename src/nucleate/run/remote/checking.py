"""Whether workers of every kind of block can be used: one tiny relaxation through each."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate import __version__
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, NucleateError
from nucleate.relax.outcome import Relaxed
from nucleate.run.executor import Job
from nucleate.run.kinds.parsl import ParslExecutor
from nucleate.run.remote.futures import FuturesExecutor
from nucleate.run.remote.node_facts import facts
from nucleate.run.settings import RunSettings
from nucleate.run.starting import context_of
from nucleate.text import clean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from nucleate.plugins import Component
    from nucleate.run.executor import Executor

TEMPLATES = ("slurm", "pbs", "flux", "local")
CLOCK_S = 5.0
"""Seconds by which the clock of a node may differ, with what a message takes."""


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What came of the check of one kind of block.

    Attributes
    ----------
    name : str
        Of the block.
    wrong : tuple of str
        What is wrong, with the line to change; empty if nothing is.
    facts : str
        What was found out.
    """

    name: str
    wrong: tuple[str, ...] = ()
    facts: str = ""


class CheckError(NucleateError):
    """A block cannot be used; the message says why."""


def template(kind: str) -> str:
    """Return a commented section ``[executor]``; raises InputError if there is none of the kind."""
    if kind not in TEMPLATES:
        raise InputError(f"cluster init {kind!r} is not known. Use one of {', '.join(TEMPLATES)}.")
    return files("nucleate.run.remote").joinpath(f"templates/{kind}.toml").read_text("utf-8")


def settings_for_check(data: Mapping[str, Any]) -> RunSettings:
    """Return an input to check blocks with; one without tiers gets a cheap one in every block.

    Raises
    ------
    InputError
        If it cannot be used.
    """
    whole = {"problem": {"formula": "NaCl", "max_atoms": 8}, **data}
    if "tier" not in data:
        whole["tier"] = [{"name": "spp", "engine": {"kind": "spp"}}]
        executor = dict(whole.get("executor", {}))
        blocks = executor.get("block")
        if isinstance(blocks, list):
            executor["block"] = [
                {key: value for key, value in block.items() if key != "tiers"}
                if isinstance(block, dict)
                else block
                for block in blocks
            ]
        whole["executor"] = executor
    return RunSettings.from_dict(whole)


def check_blocks(settings: RunSettings, folder: Path, wait_s: float) -> Iterator[BlockReport]:
    """Yield what comes of every kind of block.

    Parameters
    ----------
    settings
        The input.
    folder
        For files while it is checked; the nodes must see it.
    wait_s
        Seconds to wait for each block.
    """
    executor = settings.executor
    if not isinstance(executor, ParslExecutor):
        yield _report(executor.kind, executor, settings, folder, wait_s)
        return
    names = [tier.name for tier in settings.tier]
    named = {name for block in executor.block for name in block.tiers or ()}
    for block in executor.block:
        rest = tuple(name for name in names if name not in named) or (names[0],)
        chosen = [tier for tier in settings.tier if tier.name in (block.tiers or rest)]
        part = settings.model_copy(update={"tier": tuple(chosen)})
        only = block.model_copy(update={"tiers": None, "max_blocks": 1, "init_blocks": 1})
        alone = executor.model_copy(update={"block": (only,)})
        yield _report(block.name, alone, part, folder, wait_s)


def _report(
    name: str, executor: Component, settings: RunSettings, folder: Path, wait_s: float
) -> BlockReport:
    end = time.monotonic() + wait_s
    started = None
    try:
        where = settings.model_copy(update={"executor": executor})
        context = context_of(where, settings.tier, folder, most=1)
        started = executor.build(replace(context, folder=folder))
        wrong, said = _look(started, folder, end)
        if not wrong:
            said += ", " + _relax(started, settings, end)
        return BlockReport(name, tuple(wrong), said)
    except NucleateError as error:
        return BlockReport(name, (clean(error),))
    finally:
        if started is not None:
            with suppress(Exception):
                started.close()


def _look(executor: Executor, folder: Path, end: float) -> tuple[list[str], str]:
    """Return what is wrong with a node, and what it is."""
    if not isinstance(executor, FuturesExecutor):
        return [], "this machine"
    word = uuid.uuid4().hex
    (folder / "word").write_text(word)
    lane = executor.lanes[0]
    before = time.time()
    found = _awaited(lane.call(facts, str(folder.resolve()), word), lane, end)
    (folder / "word").unlink(missing_ok=True)
    wrong = []
    if found["version"] != __version__:
        wrong.append(
            f"the environment of {found['python']} on {found['host']} has nucleate "
            f"{found['version']}, and this is {__version__}. Install the same version there, or "
            "correct worker_init or python of the block."
        )
    if not found["sees"]:
        wrong.append(
            f"{found['host']} does not see the folder {folder.resolve()}. Put --out on a disk that "
            "all nodes share."
        )
    late = max(before - found["clock_s"], found["clock_s"] - time.time(), 0.0)
    if late > CLOCK_S:
        wrong.append(
            f"the clock of {found['host']} differs by {late:.0f} s. Blocks would end too early or "
            "too late: let the administrator synchronise it, or set the walltime that much lower."
        )
    return wrong, f"{found['host']}, nucleate {found['version']}, {found['python']}"


def _awaited(future: Future[Any], lane: Any, end: float) -> Any:
    while time.monotonic() < end:
        try:
            return future.result(timeout=1.0)
        except TimeoutError:
            if trouble := lane.trouble():
                raise CheckError(_explained(trouble)) from None
        except ModuleNotFoundError as error:
            raise CheckError(
                f"the environment of the nodes has no {error.name}. Install nucleate there "
                '(pip install "nucleate[cluster]"), or correct worker_init or python of the block.'
            ) from error
        except Exception as error:
            raise CheckError(_explained(f"{type(error).__name__}: {error}")) from error
    future.cancel()
    raise CheckError(
        "no worker has answered in time. The job may still wait in the queue (--wait 1h waits "
        "longer), or the nodes cannot reach this machine: set address to one that they can reach."
    )


HINTS = {
    "invalid partition": "Correct options.partition of the block.",
    "unknown queue": "Correct options.queue of the block.",
    "invalid account": "Correct options.account of the block.",
    "invalid qos": "Correct options.qos of the block.",
    "time limit": "Set a shorter walltime.",
    "no module named": "Install nucleate[cluster] in the environment of the nodes, or correct "
    "worker_init or python of the block.",
    "no such file": "Correct python or worker_init of the block.",
    "not found": "Correct python or worker_init of the block.",
}
"""Beginnings of what schedulers and shells say, and what to change."""


def _explained(trouble: str) -> str:
    text = clean(trouble)[:1500]
    hint = next((hint for words, hint in HINTS.items() if words in text.lower()), "")
    return f"{text} {hint}".strip()


def _relax(executor: Executor, settings: RunSettings, end: float) -> str:
    """Relax two atoms a few steps on the first tier; return what came of it in words."""
    began = time.monotonic()
    executor.wait_until_ready(_until(end))
    numbers = settings.problem.composition().numbers(1)
    side = 2.8 * len(numbers) ** (1.0 / 3.0)
    grid = (np.arange(len(numbers))[:, None] * np.array([0.5, 0.5, 0.5]) + 0.03) % 1.0
    grid += np.arange(len(numbers))[:, None] * np.array([0.011, 0.007, 0.0])
    executor.submit(Job(0, 0, Crystal(numbers, np.eye(3) * side, np.asarray(grid, np.float64))))
    while time.monotonic() < end:
        executor.feed()
        for item in executor.poll(0.2):
            took_s = time.monotonic() - began
            how = "relaxed" if isinstance(item.outcome, Relaxed) else "answered"
            return f"{settings.tier[0].name} {how} after {took_s:.1f} s"
    raise CheckError("no relaxation has ended in time. Wait longer with --wait.")


def _until(end: float) -> Any:
    def report(*_: object) -> None:
        if time.monotonic() > end:
            raise CheckError("the engines were not loaded in time. Wait longer with --wait.")

    return report
