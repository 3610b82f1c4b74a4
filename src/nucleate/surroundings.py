"""What a program of its own asks of its surroundings before anything is imported.

Only the command line calls this: a library changes nothing of the process that it is part of.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

NUMBA_CACHE = "NUMBA_CACHE_DIR"

LEAST_ADDRESSES_MB = 2000
"""Address space below which the compiler of the compiled code aborts the process."""

TIGHT_PROCESSES = 4096
"""Processes of a user up to which a limit may be felt."""

OWN_THREADS = 8
"""Threads and processes that a small run needs itself."""


def fit_surroundings() -> None:
    """Make streams, plots and compiled code work wherever the program is started."""
    _open_streams()
    os.environ["MPLBACKEND"] = "agg"
    _find_numba_cache()
    if not _can_start_threads():  # OpenBLAS would send the process an interrupt
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def too_few_addresses() -> str:
    """Return what to do where `ulimit -v` leaves too little address space; empty elsewhere."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY and soft >> 20 < LEAST_ADDRESSES_MB:
            return (
                f"The address space is limited to {soft >> 20} MB (ulimit -v), and nucleate needs "
                f"{LEAST_ADDRESSES_MB} MB. Lift the limit (ulimit -v unlimited), or ask the batch "
                "system for more memory."
            )
    return ""


def _can_start_threads() -> bool:
    """Return whether a tight `ulimit -u` leaves the threads that linear algebra starts."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
        if soft == resource.RLIM_INFINITY or soft > TIGHT_PROCESSES:
            return True
        ended = threading.Event()
        count = 2 * (os.cpu_count() or 1) + OWN_THREADS  # numpy and scipy have a library each
        threads = [threading.Thread(target=ended.wait) for _ in range(count)]
        started: list[threading.Thread] = []
        try:
            for thread in threads:
                thread.start()
                started.append(thread)
        except RuntimeError:
            return False
        finally:
            ended.set()
            for thread in started:
                thread.join()
    return True


def _open_streams() -> None:
    """Replace streams that are closed, and characters that a stream cannot write."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        elif isinstance(stream, io.TextIOWrapper):
            with suppress(ValueError, OSError):
                stream.reconfigure(errors="replace")


def _find_numba_cache() -> None:
    """Give compiled code a folder where neither the package nor the user's cache can be written.

    The folder is one for the user, so that the second start is as fast as elsewhere.
    """
    if os.environ.get(NUMBA_CACHE) or _is_writable(Path(__file__).resolve().parent):
        return
    if _is_writable(user_cache()):
        return
    folder = _own_temporary_folder()
    if folder is not None:
        os.environ[NUMBA_CACHE] = str(folder)
        with suppress(OSError, ValueError, AttributeError):
            print(  # noqa: T201
                f"Compiled code is kept in {folder}: neither the package's folder nor "
                f"{user_cache()} can be written. Set {NUMBA_CACHE} for another place.",
                file=sys.stderr,
            )


def compiled_code_folder() -> Path | None:
    """Return where compiled code is kept; None where no such folder can be written."""
    given = os.environ.get(NUMBA_CACHE)
    places = (Path(given),) if given else (Path(__file__).resolve().parent, user_cache())
    return next((folder for folder in places if _is_writable(folder)), None)


def user_cache() -> Path:
    """Return the folder for what programs of this user keep; numba keeps compiled code there."""
    home = os.environ.get("XDG_CACHE_HOME")
    if home:
        return Path(home)
    with suppress(RuntimeError):
        return Path.home() / ".cache"
    return Path("/nonexistent")


def _own_temporary_folder() -> Path | None:
    """Return a folder that belongs to this user alone; None if there is none."""
    name = f"nucleate-numba-{os.getuid()}" if hasattr(os, "getuid") else "nucleate-numba"
    folder = Path(tempfile.gettempdir()) / name
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
        is_mine = not hasattr(os, "getuid") or facts.st_uid == os.getuid()
        if is_mine and folder.is_dir() and not folder.is_symlink():
            return folder
    with suppress(OSError):
        return Path(tempfile.mkdtemp(prefix="nucleate-numba-"))
    return None


def _is_writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, or the folder itself can be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
