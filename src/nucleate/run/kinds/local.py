"""Worker processes on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from nucleate.plugins import Component
from nucleate.run.pool import Pool

if TYPE_CHECKING:
    from nucleate.run.starting import ExecutorContext


class LocalExecutor(Component):
    """Worker processes on this machine, which can be killed."""

    serves: ClassVar[frozenset[str]] = frozenset({"executors"})

    def build(self, context: ExecutorContext) -> Pool:
        """Return the pool of workers, which load their engines."""
        return Pool(context.spec, workers=context.workers, logs=context.logs)
