"""Who relaxes in a run: the executor of the input, started with the tiers of the run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from nucleate.faults import blaming
from nucleate.run.log import WORKER_LOGS
from nucleate.run.spec import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from nucleate.plugins import Component
    from nucleate.relax.settings import TierSettings
    from nucleate.run.executor import Executor
    from nucleate.run.process import WorkerSpec
    from nucleate.run.settings import ExecutionSettings

    Report = Callable[[str, int, int], None]


class Where(Protocol):
    """The part of an input that says where it is computed."""

    @property
    def run(self) -> ExecutionSettings:
        """Workers on one machine."""
        ...

    @property
    def executor(self) -> Component:
        """Who starts them."""
        ...

    @property
    def tier(self) -> Sequence[TierSettings]:
        """All tiers of the input; blocks may name them."""
        ...


@dataclass(frozen=True, slots=True)
class ExecutorContext:
    """What an executor gets from the run that it serves.

    Attributes
    ----------
    spec : WorkerSpec
        How workers are started.
    workers : int
        Worker processes that the run asks for.
    names : tuple of str
        Names of the tiers.
    folder : Path
        Of the run; for files of the executor.
    late : frozenset of int
        Tiers that need no worker before a crystal comes to them.
    of_input : tuple of str
        Names of all tiers of the input, some of which may not be computed now; none given means
        those of ``names``. Tiers beside them, such as those of the final phase, are computed where
        the last of them is.
    """

    spec: WorkerSpec
    workers: int
    names: tuple[str, ...]
    folder: Path
    late: frozenset[int] = frozenset()
    of_input: tuple[str, ...] = ()

    @property
    def logs(self) -> Path:
        """Folder for what workers on this machine write to standard error."""
        return self.folder / WORKER_LOGS


def context_of(
    where: Where,
    tiers: Sequence[TierSettings],
    folder: Path,
    *,
    pressure_gpa: float = 0.0,
    most: int | None = None,
    warm_up: Sequence[int] = (),
    late: Iterable[int] = (),
) -> ExecutorContext:
    """Return what an executor is built with; parameters are those of :func:`start_executor`."""
    workers = where.run.n_workers if most is None else min(where.run.n_workers, most)
    return ExecutorContext(
        spec=replace(spec_of(tiers, pressure_gpa, where.run), warm_up=tuple(warm_up)),
        workers=workers,
        names=tuple(tier.name for tier in tiers),
        folder=folder,
        late=frozenset(late),
        of_input=tuple(tier.name for tier in where.tier),
    )


def start_executor(
    where: Where,
    tiers: Sequence[TierSettings],
    folder: Path,
    *,
    pressure_gpa: float = 0.0,
    most: int | None = None,
    warm_up: Sequence[int] = (),
    late: Iterable[int] = (),
    report: Report = lambda *_: None,
) -> Executor:
    """Return who relaxes, with its engines loaded.

    Parameters
    ----------
    where
        The input.
    tiers
        What is computed.
    folder
        The run folder.
    pressure_gpa
        External pressure.
    most
        Crystals that there are to relax; more workers are not started.
    warm_up
        Atomic numbers of a crystal for which everything is compiled first.
    late
        Tiers that need no worker before a crystal comes to them: nobody waits for their nodes.
    report
        Called while engines are loaded.

    Raises
    ------
    InputError
        If the settings of an engine or of the executor cannot be used.
    MissingDependencyError
        If the package of one is not installed.
    WorkerStartError
        If the engines cannot be loaded.
    """
    context = context_of(
        where, tiers, folder, pressure_gpa=pressure_gpa, most=most, warm_up=warm_up, late=late
    )
    with blaming("executor", where.executor, "build"):
        executor: Executor = where.executor.build(context)
    try:
        executor.wait_until_ready(report)
    except BaseException:
        executor.close()
        raise
    return executor
