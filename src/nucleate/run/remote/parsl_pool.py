"""One kind of block as an executor of futures: Parsl asks for nodes and feeds them."""

from __future__ import annotations

import atexit
import logging
import shutil
import sys
import uuid
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nucleate.run.remote.blocks import PROVIDERS, imported, job_numbers, provider_of
from nucleate.run.remote.guard import VARIABLE, Guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nucleate.run.remote.blocks import Block

INTERCHANGE = "parsl.executors.high_throughput.interchange"
MANAGER = "nucleate.run.remote.manager"
CANCEL = {"flux": "flux cancel", "kubernetes": ""}
"""Commands that cancel jobs where they are not the last of the scheduler."""


class ParslPool(Executor):
    """Workers of one kind of block.

    Parameters
    ----------
    block : Block
        What is asked for.
    folder : Path
        For files of Parsl, which the nodes must see.
    lease_s : float
        Seconds that a task takes at most; a block takes none in its last ones.
    """

    def __init__(self, block: Block, folder: Path, lease_s: float) -> None:
        self._block = block
        self._folder = folder
        self._mark = uuid.uuid4().hex
        self._is_over = False
        provider = provider_of(block, f"export {' '.join(self._marks)}")
        parsl = imported("parsl")
        executors = imported("parsl.executors.high_throughput.executor")
        _, commands = PROVIDERS[block.provider]
        self._guard = Guard(
            self._mark, CANCEL.get(block.provider, commands[-1] if commands else "")
        )
        _use_one_thread_for_blas()
        try:
            self._start(parsl, executors, provider, lease_s)
        except BaseException:
            self._guard.end()
            raise
        self._python_app = parsl.python_app
        self._apps: dict[Any, Any] = {}

    @property
    def _marks(self) -> tuple[str, ...]:
        """Variables of all that is started; the second keeps titles from overwriting the first."""
        return f"{VARIABLE}={self._mark}", "SPT_NOENV=1"

    def _start(self, parsl: Any, executors: Any, provider: Any, lease_s: float) -> None:
        block = self._block
        drain_s = max(int(block.walltime - 60.0 - lease_s), int(block.walltime / 2))
        is_local = block.provider == "local"
        self._htex = executors.HighThroughputExecutor(
            label=block.name,
            provider=provider,
            address="127.0.0.1" if is_local and block.address is None else block.address,
            interchange_launch_cmd=["env", *self._marks, sys.executable, "-m", INTERCHANGE],
            launch_cmd=_launch_command(executors.DEFAULT_LAUNCH_CMD, block.interpreter),
            max_workers_per_node=block.workers_per_node,
            cores_per_worker=1e-6,
            heartbeat_period=block.heartbeat_s,
            heartbeat_threshold=4 * block.heartbeat_s,
            drain_period=drain_s,
            prefetch_capacity=0,
        )
        config = parsl.Config(
            executors=[self._htex],
            run_dir=str(self._folder),
            strategy="simple",
            strategy_period=min(5.0, block.status_s),
            max_idletime=block.idle_s,
            retries=0,
            usage_tracking=0,
            initialize_logging=False,
        )
        logging.getLogger("parsl").setLevel(logging.CRITICAL)
        self._kernel = parsl.DataFlowKernel(config)

    def submit(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        """Hand a call to a worker."""
        if trouble := self.trouble():
            raise BrokenExecutor(trouble)
        app = self._apps.get(function)
        if app is None:
            app = self._python_app(
                function, data_flow_kernel=self._kernel, executors=[self._block.name]
            )
            self._apps[function] = app
        return app(*args, **options)

    def trouble(self) -> str:
        """Return what keeps the blocks from being used any longer; empty if nothing does."""
        self._guard.tell(" ".join(job_numbers(" ".join(self._jobs()))))
        process = self._htex.interchange_proc
        if process is not None and process.poll() is not None:
            return f"Parsl's interchange ended with status {process.returncode}"
        if self._htex.bad_state_is_set:
            return f"no block could be used: {self._htex.executor_exception}"
        return ""

    def _jobs(self) -> list[str]:
        from parsl.jobs.states import TERMINAL_STATES

        status = dict(self._htex.status_facade)
        return [
            str(job)
            for name, job in dict(self._htex.blocks_to_job_id).items()
            if name not in status or status[name].state not in TERMINAL_STATES
        ]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Give all blocks back, whatever they are doing."""
        if self._is_over:
            return
        self._is_over = True
        process = self._htex.interchange_proc
        with suppress(Exception):
            if process is not None and process.poll() is None:
                self._kernel.cleanup()
            else:
                self._give_up()
        self._guard.end()
        shutil.rmtree(self._kernel.run_dir, ignore_errors=True)
        with suppress(OSError):
            self._folder.rmdir()

    def _give_up(self) -> None:
        """Give the blocks back where the kernel cannot: it would wait for the interchange."""
        atexit.unregister(self._kernel.atexit_cleanup)
        self._kernel.job_status_poller._kill_event.set()
        if jobs := self._jobs():
            self._htex.provider.cancel(jobs)


def _use_one_thread_for_blas() -> None:
    """Keep this process from standing still when Parsl asks the scheduler.

    Parsl's thread forks while others compute. OpenBLAS ends its threads before a fork, and where
    another thread hands them work at this moment it waits for them without end.
    """
    import scipy.linalg  # noqa: F401  has an OpenBLAS of its own
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


def _launch_command(default: str, python: str) -> str:
    """Return the command that starts the workers of a node, by interpreter instead of the path."""
    return f"{python} -m {MANAGER}{default[default.index(' ') :]}"
