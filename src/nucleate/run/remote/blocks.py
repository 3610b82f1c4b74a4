"""Blocks of nodes: what the input says of them, and the providers that ask a scheduler for them."""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from nucleate.errors import InputError, MissingDependencyError
from nucleate.run.remote.work import ENDS
from nucleate.search.stop import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

INSTALL = 'pip install "nucleate[cluster]"'

PROVIDERS = {
    "local": ("parsl.providers:LocalProvider", ()),
    "slurm": ("parsl.providers:SlurmProvider", ("sbatch", "squeue", "scancel")),
    "pbs": ("parsl.providers:PBSProProvider", ("qsub", "qstat", "qdel")),
    "torque": ("parsl.providers:TorqueProvider", ("qsub", "qstat", "qdel")),
    "lsf": ("parsl.providers:LSFProvider", ("bsub", "bjobs", "bkill")),
    "flux": ("nucleate.run.remote.flux:FluxProvider", ("flux",)),
    "kubernetes": ("parsl.providers:KubernetesProvider", ("kubectl",)),
}
"""Class of each provider, and the commands of its scheduler, the one that cancels jobs last."""

LAUNCHERS = {
    "single": "SingleNodeLauncher",
    "simple": "SimpleLauncher",
    "srun": "SrunLauncher",
    "mpiexec": "MpiExecLauncher",
    "mpirun": "MpiRunLauncher",
    "aprun": "AprunLauncher",
    "jsrun": "JsrunLauncher",
}

_MPS = (
    "command -v nvidia-cuda-mps-control > /dev/null || { echo 'mps = true: "
    "nvidia-cuda-mps-control is not on the path of this node' >&2; exit 1; }"
)

OF_BLOCKS = frozenset({
    "nodes_per_block", "init_blocks", "min_blocks", "max_blocks", "walltime", "worker_init",
    "launcher", "scheduler_options",
})  # fmt: skip
"""Arguments of providers that keys of a block set."""


class Block(BaseModel):
    """One kind of block: nodes that a scheduler gives together, and the workers on them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("nodes", pattern=r"^[A-Za-z0-9_-]+$", description="Name in messages.")
    provider: Literal["local", "slurm", "pbs", "torque", "lsf", "flux", "kubernetes"] = Field(
        "local", description="Who gives the nodes: a scheduler, or this machine."
    )
    tiers: tuple[str, ...] | None = Field(
        None, description="Names of the tiers that it computes; default: those of no other block."
    )
    nodes: int = Field(1, ge=1, description="Nodes of a block.")
    workers_per_node: int = Field(1, ge=1, le=4096, description="Workers on each node.")
    init_blocks: int = Field(1, ge=0, description="Blocks that are asked for at the start.")
    min_blocks: int = Field(0, ge=0, description="Blocks that are kept when there is little to do.")
    max_blocks: int = Field(1, ge=1, description="Blocks at most.")
    walltime: Annotated[float, BeforeValidator(seconds)] = Field(
        3600.0, gt=60.0, description="Seconds, or like 4h, for which a block is asked for."
    )
    python: str | None = Field(
        None, description="Python of the nodes; default: the one that runs this."
    )
    worker_init: str = Field("", description="Lines of shell that each block begins with.")
    scheduler_options: str = Field("", description="Lines for the scheduler, like #SBATCH ...")
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Further arguments of Parsl's provider, such as partition and account.",
    )
    launcher: Literal["single", "simple", "srun", "mpiexec", "mpirun", "aprun", "jsrun"] | None = (
        Field(
            None,
            description="How workers start: default single, of several nodes srun; simple: on the "
            "first node only, whose MPI programs use the others.",
        )
    )
    devices: tuple[str, ...] | Literal["all"] = Field(
        (), description='Cards that workers are pinned to in turn: "all", or names like ["0", "1"].'
    )
    mps: bool = Field(
        False, description="Let NVIDIA's MPS share the cards of a node among its workers."
    )
    address: str | None = Field(
        None, description="Address of this machine that the nodes can reach; default: any."
    )
    idle_s: float = Field(
        300.0, ge=1.0, description="Seconds after which a block without work is given back."
    )
    heartbeat_s: int = Field(
        15, ge=1, description="Seconds between signs of life of a node; lost after four of them."
    )
    status_s: float = Field(30.0, ge=0.5, description="Seconds between looks at the queue.")

    @field_validator("options")
    @classmethod
    def _known(cls, options: dict[str, Any]) -> dict[str, Any]:
        doubled = OF_BLOCKS & options.keys()
        if doubled:
            raise ValueError(f"{', '.join(sorted(doubled))} is set by keys of the block. Use these")
        return options

    @property
    def workers(self) -> int:
        """Workers of all blocks together."""
        hosts = 1 if self.launcher == "simple" else self.nodes
        return self.workers_per_node * hosts * self.max_blocks

    @property
    def interpreter(self) -> str:
        """Python of the nodes."""
        return self.python or sys.executable

    def script(self, first: str = "") -> str:
        """Return the lines of shell that a block begins with."""
        lines = [line for line in (first, self.worker_init.strip()) if line]
        if self.provider != "kubernetes":
            lines.append(f"export {ENDS}=$(( $(date +%s) + {int(self.walltime)} ))")
        if self.mps:
            lines += [_MPS, "nvidia-cuda-mps-control -d"]
        return "\n".join(lines)

    @property
    def clock(self) -> str:
        """The walltime as schedulers have it, rounded up to minutes."""
        minutes = -int(-self.walltime // 60)
        return f"{minutes // 60:02d}:{minutes % 60:02d}:00"


def provider_of(block: Block, first: str = "") -> Any:
    """Return Parsl's provider of a block.

    Parameters
    ----------
    block
        What is asked for.
    first
        Line of shell that comes before all others.

    Raises
    ------
    InputError
        If an option is unknown, or the commands of the scheduler are not on the path.
    MissingDependencyError
        If Parsl is not installed.
    """
    path, commands = PROVIDERS[block.provider]
    missing = [name for name in commands if shutil.which(name) is None]
    if missing and block.provider != "kubernetes":
        raise InputError(
            f"executor.block {block.name!r}: provider = {block.provider!r} needs the commands "
            f"{', '.join(missing)}, which are not on the path. Run nucleate where jobs are "
            "submitted, or choose another provider."
        )
    module, _, name = path.partition(":")
    provider = getattr(imported(module), name)
    known = set(inspect.signature(provider).parameters)
    unknown = sorted(block.options.keys() - known)
    if unknown:
        raise InputError(
            f"executor.block {block.name!r}: options.{unknown[0]} is no option of provider "
            f"{block.provider!r}. Known: {', '.join(sorted(known - OF_BLOCKS))}."
        )
    timed = type(provider.__name__, (provider,), {"status_polling_interval": block.status_s})
    return timed(**_arguments(block, known, first))


def _arguments(block: Block, known: set[str], first: str) -> dict[str, Any]:
    launcher = block.launcher or ("srun" if block.nodes > 1 else "single")
    values = {
        "nodes_per_block": block.nodes,
        "init_blocks": block.init_blocks,
        "min_blocks": block.min_blocks,
        "max_blocks": block.max_blocks,
        "walltime": block.clock,
        "worker_init": block.script(first),
        "scheduler_options": block.scheduler_options,
        "launcher": getattr(imported("parsl.launchers"), LAUNCHERS[launcher])(),
    }
    return {key: value for key, value in values.items() if key in known} | block.options


def imported(module: str) -> Any:
    """Return a module of Parsl; raises MissingDependencyError where it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"executor.kind = 'parsl': {error.name} is not installed. Install it: {INSTALL}"
        ) from error
    except NotImplementedError as error:
        raise MissingDependencyError(
            f"executor.kind = 'parsl': Parsl does not work on this system ({error}). Use 'local'."
        ) from error


def tiers_of(
    blocks: Sequence[Block], names: Sequence[str], of_input: Sequence[str] = ()
) -> list[tuple[int, ...]]:
    """Return the tiers of each block by number.

    Parameters
    ----------
    blocks
        All kinds of blocks.
    names
        Of the tiers that are computed now.
    of_input
        Of all tiers of the input, of which blocks may name any; default: ``names``. Tiers beside
        them, those of a final phase, are computed where the last one is.

    Raises
    ------
    InputError
        If a tier has no block or several, or a block names one that there is not.
    """
    known = of_input or names
    places = {name: _place(blocks, name) for name in known}
    named = [name for block in blocks for name in block.tiers or ()]
    unknown = [name for name in named if name not in known]
    if unknown:
        raise InputError(
            f"executor.block.tiers: there is no [[tier]] with the name {unknown[0]!r}. Use "
            f"{', '.join(known)}."
        )
    if len(named) > len(set(named)) or sum(block.tiers is None for block in blocks) > 1:
        raise InputError(
            "executor.block.tiers: a tier belongs to several blocks. Name the tiers of each block, "
            "every tier once."
        )
    for name, place in places.items():
        if place is None:
            raise InputError(
                f"executor.block.tiers: no block computes {name!r}. Add it to one, or leave tiers "
                "of one block out."
            )
    chosen = [places.get(name, places[known[-1]]) for name in names]
    return [
        tuple(number for number, place in enumerate(chosen) if place == where)
        for where in range(len(blocks))
    ]


def _place(blocks: Sequence[Block], name: str) -> int | None:
    """Return the number of the block that computes a tier, None if none does."""
    for place, block in enumerate(blocks):
        if name in (block.tiers or ()):
            return place
    return next((place for place, block in enumerate(blocks) if block.tiers is None), None)


def job_numbers(text: str) -> list[str]:
    """Return the words of a line of job numbers that are safe to hand to a command."""
    return re.findall(r"\w[\w.\[\]-]*", text)
