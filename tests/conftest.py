"""Fixtures shared by every room."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("nucleate", deadline=None)  # the first call of a kernel compiles it
settings.load_profile("nucleate")

# Otherwise each of the many processes that tests start reads all of its modules as text.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A shell starts what it puts in the background with SIGINT ignored; some tests send it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the reference structures; tests that need it skip where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("NUCLEATE_DATA", beside))
    if not (folder / "targets").is_dir():
        pytest.skip(f"reference data not found at {folder}; set NUCLEATE_DATA")
    return folder
