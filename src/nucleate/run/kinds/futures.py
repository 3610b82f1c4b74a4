"""Workers in any pool that has the interface of ``concurrent.futures``."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from nucleate.errors import InputError, MissingDependencyError
from nucleate.plugins import Component
from nucleate.run.remote.futures import FuturesExecutor
from nucleate.run.remote.lane import Lane, LaneSettings
from nucleate.run.worker import extend_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor as Futures

    from nucleate.run.starting import ExecutorContext


class AnyFutures(Component):
    """Workers of a pool of another package: executorlib, Dask, MPI or the standard library."""

    serves: ClassVar[frozenset[str]] = frozenset({"executors"})

    function: str = Field(
        description="module:function that returns a concurrent.futures.Executor, such as "
        "executorlib:SlurmClusterExecutor or mpi4py.futures:MPIPoolExecutor."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="What the function is called with, by keyword."
    )
    workers: int | None = Field(
        None, ge=1, le=100_000, description="Workers of the pool; default: [run] workers."
    )
    retries: int = Field(
        5, ge=0, le=1000, description="How often a structure whose worker was lost is tried again."
    )
    lease_s: float = Field(
        30.0,
        gt=0.0,
        le=86_400.0,
        description="Seconds after which a worker gives unfinished relaxations back with their "
        "state; what a lost worker loses at most.",
    )

    devices: tuple[str, ...] | Literal["all"] = Field(
        (), description='Cards that workers are pinned to in turn: "all", or names like ["0", "1"].'
    )

    def build(self, context: ExecutorContext) -> FuturesExecutor:
        """Return the executor, whose pool is started."""
        begin = factory(self.function, self.options)
        workers = self.workers or context.workers
        settings = LaneSettings(
            self.function.rpartition(":")[2],
            workers,
            ahead=ahead_of(workers),
            lease_s=self.lease_s,
            retries=self.retries,
            limit_memory=context.spec.memory_mb is not None,
            workers_per_node=workers,
        )
        done: SimpleQueue[Any] = SimpleQueue()
        devices = (self.devices,) if isinstance(self.devices, str) else self.devices
        spec = replace(context.spec, devices=devices)
        lane = Lane(begin, spec, tuple(range(len(context.names))), settings, done)
        return FuturesExecutor([lane], done)


def ahead_of(workers: int) -> int:
    """Return how many tasks an engine is given beyond those that run.

    One for each worker, so that none waits where the driver is busy for as long as a structure
    takes. A single worker is given none: what it does next does not depend on timing.
    """
    return workers if workers > 1 else 0


def factory(path: str, options: dict[str, Any]) -> Callable[[], Futures]:
    """Return what starts the pool that ``module:function`` names.

    Raises
    ------
    InputError
        If there is no such function, or it does not take the options.
    MissingDependencyError
        If the module is not installed.
    """
    module, _, name = path.partition(":")
    extend_path(())
    try:
        function = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f"executor.function = {path!r}: {error.name} is not installed. Install it: "
            f"pip install {package}"
        ) from error
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"executor.function = {path!r} cannot be imported ({error}). Give module:function."
        ) from error

    def begin() -> Futures:
        try:
            pool = function(**options)
        except TypeError as error:
            raise InputError(
                f"executor.options: {path} does not take them ({error}). Correct them."
            ) from error
        if not hasattr(pool, "submit") or not hasattr(pool, "shutdown"):
            raise InputError(
                f"executor.function = {path!r} returned a {type(pool).__name__}, which is no "
                "concurrent.futures.Executor. Give a function that returns one."
            )
        return pool

    return begin
