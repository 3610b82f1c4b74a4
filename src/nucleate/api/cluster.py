"""Workers on a cluster: a section ``[executor]`` to begin with, and whether it works."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.run.remote.checking import (
    TEMPLATES,
    BlockReport,
    check_blocks,
    settings_for_check,
    template,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TEMPLATES", "BlockReport", "check", "template"]


def check(
    file: str | Path, *, folder: str | Path = ".", wait: str | float = "10m"
) -> Iterator[BlockReport]:
    """Send one tiny relaxation through every kind of block, and yield what comes of each.

    Parameters
    ----------
    file
        An input file, or one with ``[executor]`` alone.
    folder
        Where files are kept meanwhile; it must be on a disk that the nodes share.
    wait
        How long to wait for each kind of block: seconds, or text like ``"1h"``.

    Raises
    ------
    InputError
        If the file cannot be used.
    """
    import tempfile

    from nucleate.run.paths import with_absolute_paths
    from nucleate.run.settings import read_toml
    from nucleate.search.stop import seconds

    path = Path(file)
    settings = settings_for_check(with_absolute_paths(read_toml(path), path.parent))
    limit_s = seconds(wait)
    with tempfile.TemporaryDirectory(prefix="nucleate-check-", dir=folder) as temporary:
        yield from check_blocks(settings, Path(temporary), float(limit_s))
