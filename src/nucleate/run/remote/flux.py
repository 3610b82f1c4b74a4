"""Blocks as batch jobs of Flux, for Parsl, which has no such provider."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from nucleate.errors import MissingDependencyError

try:
    from parsl.jobs.states import JobState, JobStatus
    from parsl.launchers import SingleNodeLauncher
    from parsl.providers.cluster_provider import ClusterProvider
    from parsl.providers.errors import SubmitException
except NotImplementedError as error:
    raise MissingDependencyError(f"Flux is used through Parsl: {error}.") from error

STATES = {
    "DEPEND": JobState.PENDING,
    "PRIORITY": JobState.PENDING,
    "SCHED": JobState.PENDING,
    "RUN": JobState.RUNNING,
    "CLEANUP": JobState.RUNNING,
    "COMPLETED": JobState.COMPLETED,
    "FAILED": JobState.FAILED,
    "CANCELED": JobState.CANCELLED,
    "TIMEOUT": JobState.TIMEOUT,
}
"""What ``flux jobs --format={status}`` says."""


class FluxProvider(ClusterProvider):
    """Asks Flux for nodes with ``flux batch``.

    Parameters
    ----------
    queue, bank
        Where the jobs go, and who pays.
    scheduler_options
        Lines for the beginning of the script, such as ``# flux: --exclusive``.
    worker_init
        Lines of shell that the workers start after.
    nodes_per_block, init_blocks, min_blocks, max_blocks, parallelism, walltime
        See every provider of Parsl.
    launcher, cmd_timeout
        See every provider of Parsl.
    """

    def __init__(
        self,
        queue: str | None = None,
        bank: str | None = None,
        scheduler_options: str = "",
        worker_init: str = "",
        nodes_per_block: int = 1,
        init_blocks: int = 1,
        min_blocks: int = 0,
        max_blocks: int = 1,
        parallelism: float = 1.0,
        walltime: str = "00:10:00",
        launcher: Any = None,
        cmd_timeout: int = 30,
    ) -> None:
        super().__init__(
            "flux",
            nodes_per_block,
            init_blocks,
            min_blocks,
            max_blocks,
            parallelism,
            walltime,
            cmd_timeout=cmd_timeout,
            launcher=launcher or SingleNodeLauncher(),
        )
        self.queue, self.bank = queue, bank
        self.scheduler_options, self.worker_init = scheduler_options, worker_init

    def submit(self, command: str, tasks_per_node: int, job_name: str = "nucleate") -> str:
        """Submit a block; return its number.

        Raises
        ------
        SubmitException
            If Flux does not take it.
        """
        assert self.script_dir is not None
        path = Path(self.script_dir).resolve() / f"{job_name}.sh"
        hours, minutes, _ = self.walltime.split(":")
        wrapped = self.launcher(command, tasks_per_node, self.nodes_per_block, self.script_dir)
        lines = ["#!/bin/bash", self.scheduler_options, self.worker_init, wrapped, ""]
        path.write_text("\n".join(lines))
        words = ["flux", "batch", f"--nodes={self.nodes_per_block}", "--exclusive"]
        words += [f"--time-limit={60 * int(hours) + int(minutes)}m", f"--output={path}.out"]
        words += [f"--queue={self.queue}"] * (self.queue is not None)
        words += [f"--bank={self.bank}"] * (self.bank is not None)
        status, found, trouble = self.execute_wait(shlex.join([*words, str(path)]))
        if status != 0 or not found.strip():
            raise SubmitException(job_name, "flux batch refused it", found, trouble, status)
        number = found.strip().split()[-1]
        files: dict[str, Any] = {"stdout_path": f"{path}.out", "stderr_path": f"{path}.out"}
        self.resources[number] = {"status": JobStatus(JobState.PENDING, **files), "files": files}
        return number

    def _status(self) -> None:
        wanted = [job for job, known in self.resources.items() if not known["status"].terminal]
        if not wanted:
            return
        command = ["flux", "jobs", "--no-header", "--format={id} {status}", *wanted]
        status, found, _ = self.execute_wait(shlex.join(command))
        if status != 0:
            return
        for line in found.splitlines():
            number, _, word = line.strip().partition(" ")
            if number in self.resources:
                state = STATES.get(word.strip(), JobState.UNKNOWN)
                files = self.resources[number]["files"]
                self.resources[number]["status"] = JobStatus(state, **files)

    def cancel(self, job_ids: list[str]) -> list[bool]:
        """Cancel blocks; return for each whether that was possible."""
        status, _, _ = self.execute_wait(shlex.join(["flux", "cancel", *job_ids]))
        for number in job_ids if status == 0 else ():
            self.resources[number]["status"] = JobStatus(JobState.CANCELLED)
        return [status == 0] * len(job_ids)

    @property
    def status_polling_interval(self) -> int:
        """Seconds between looks at the queue."""
        return 30
