"""Worker processes on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from nucleate.plugins import Component
from nucleate.run.cards import cards
from nucleate.run.pool import Pool

if TYPE_CHECKING:
    from nucleate.run.starting import ExecutorContext


class LocalExecutor(Component):
    """Worker processes on this machine, which can be killed."""

    serves: ClassVar[frozenset[str]] = frozenset({"executors"})

    devices: tuple[str, ...] | Literal["all"] = Field(
        (), description='Cards that workers are pinned to in turn: "all", or names like ["0", "1"].'
    )

    def build(self, context: ExecutorContext) -> Pool:
        """Return the pool of workers, which load their engines."""
        names = cards((self.devices,) if isinstance(self.devices, str) else self.devices)
        spec = replace(context.spec, devices=names) if names else context.spec
        return Pool(spec, workers=context.workers, logs=context.logs)
