"""Pilot jobs on the nodes of a cluster, through Parsl."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from nucleate.plugins import Component
from nucleate.run.kinds.futures import ahead_of
from nucleate.run.remote.blocks import Block, imported, tiers_of
from nucleate.run.remote.futures import FuturesExecutor
from nucleate.run.remote.lane import Lane, LaneSettings
from nucleate.run.remote.parsl_pool import ParslPool

if TYPE_CHECKING:
    from nucleate.run.process import WorkerSpec
    from nucleate.run.starting import ExecutorContext

FOLDER = "executor"
"""In the run folder: files of Parsl while it runs."""


class ParslExecutor(Component):
    """Pilot jobs through Parsl: blocks of nodes that SLURM, PBS, LSF, Flux or Kubernetes give."""

    serves: ClassVar[frozenset[str]] = frozenset({"executors"})
    keeps_files: ClassVar[bool] = True
    """In the folder of the run, which the nodes must see."""

    block: tuple[Block, ...] = Field(
        default_factory=lambda: (Block.model_validate({}),),
        min_length=1,
        description="Kinds of blocks; each computes tiers of its own.",
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

    @field_validator("block")
    @classmethod
    def _names_differ(cls, blocks: tuple[Block, ...]) -> tuple[Block, ...]:
        names = [block.name for block in blocks]
        if len(names) > len(set(names)):
            raise ValueError("two blocks have the same name. Give every [[executor.block]] its own")
        return blocks

    def build(self, context: ExecutorContext) -> FuturesExecutor:
        """Return the executor; the first blocks are asked for."""
        imported("parsl")
        done: SimpleQueue[Any] = SimpleQueue()
        lanes: list[Lane] = []
        try:
            served = tiers_of(self.block, context.names, context.of_input)
            for block, tiers in zip(self.block, served, strict=True):
                if tiers:
                    lanes.append(self._lane(block, tiers, context, done))
        except BaseException:
            for lane in lanes:
                lane.close()
            raise
        return FuturesExecutor(lanes, done, late=context.late)

    def _lane(
        self,
        block: Block,
        tiers: tuple[int, ...],
        context: ExecutorContext,
        done: SimpleQueue[Any],
    ) -> Lane:
        settings = LaneSettings(
            block.name,
            block.workers,
            ahead=ahead_of(block.workers),
            lease_s=self.lease_s,
            retries=self.retries,
            limit_memory=context.spec.memory_mb is not None,
            workers_per_node=block.workers_per_node,
        )
        begin = partial(ParslPool, block, context.folder / FOLDER, self.lease_s)
        devices = (block.devices,) if isinstance(block.devices, str) else block.devices
        spec = replace(spec_for(context.spec, tiers), devices=devices)
        return Lane(begin, spec, tiers, settings, done)


def spec_for(spec: WorkerSpec, tiers: tuple[int, ...]) -> WorkerSpec:
    """Return how workers are started that serve some of the tiers."""
    chosen = {
        key: tuple(values[tier] for tier in tiers)
        for key in ("tiers", "step_limits_s", "pythons")
        if (values := getattr(spec, key))
    }
    return replace(spec, **chosen)
