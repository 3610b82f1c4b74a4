"""What a node says of itself, so that what is wrong with it can be named."""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path
from typing import Any

from nucleate import __version__


def facts(folder: str, word: str) -> dict[str, Any]:
    """Return what the driver compares with itself.

    Parameters
    ----------
    folder
        The run folder.
    word
        What the file ``word`` in it holds.
    """
    try:
        sees = (Path(folder) / "word").read_text() == word
    except OSError:
        sees = False
    return {
        "version": __version__,
        "python": sys.executable,
        "host": platform.node(),
        "clock_s": time.time(),
        "sees": sees,
    }
