"""What nucleate finds on a machine: versions, devices, threads, caches, programs, locks."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module, metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nucleate.errors import InputError
from nucleate.processes import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

State = Literal["ok", "absent", "problem", "fatal"]

OLDEST_PYTHON = (3, 11)
NEEDED = ("numpy", "scipy", "numba", "ase", "gemmi", "moyopy", "pydantic", "filelock")
"""Distributions and modules without which no search runs."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_NOT_FOR_USERS = ("dev", "docs", "benchmark", "train")
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    section, name : str
        What it is.
    value : str
        What was found.
    state : str
        ``ok``; ``absent`` (optional and not installed); ``problem`` (something is slower or
        unavailable); ``fatal`` (no search can run).
    remedy : str
        What to do about it; empty where nothing is to be done.
    """

    section: str
    name: str
    value: str
    state: State = "ok"
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings of :func:`doctor`."""

    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """What needs attention, fatal or not."""
        return tuple(item for item in self.findings if item.state in ("problem", "fatal"))

    @property
    def can_run(self) -> bool:
        """Whether a search with one of the included potentials can run."""
        return all(item.state != "fatal" for item in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the findings ready for JSON."""
        return {"can_run": self.can_run, "findings": [asdict(item) for item in self.findings]}


def doctor(folder: str | Path = ".") -> Diagnosis:
    """Look at this machine and this installation; nothing is changed.

    Parameters
    ----------
    folder
        Where runs are to be written: it is tested for writing and locking.

    Returns
    -------
    Diagnosis
        Every finding; each problem has its remedy.
    """
    where = Path(folder)
    return Diagnosis(
        (
            *_versions(),
            *_optional_packages(),
            *_devices(),
            *_threads(),
            *_folders(where),
            *_programs(),
            _encoding(),
        )
    )


def _versions() -> Iterator[Finding]:
    python = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding("versions", "Python", f"{python} ({sys.executable})")
    else:
        yield Finding(
            "versions", "Python", python, "fatal", "Install Python 3.11 or later and nucleate in it"
        )
    yield Finding("versions", "system", f"{platform.system()} {platform.machine()}")
    for name in ("nucleate", *NEEDED):
        yield _needed(name)


def _needed(name: str) -> Finding:
    try:
        import_module(name)
        return Finding("versions", name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding("versions", name, "run from source, not installed")
    except Exception as error:  # noqa: BLE001  a broken library may raise anything
        return Finding(
            "versions",
            name,
            f"cannot be imported ({type(error).__name__}: {error})",
            "fatal",
            f'pip install --force-reinstall "{name}"',
        )


def extras() -> dict[str, list[str]]:
    """Return the optional distributions for users, each with the extras that install it."""
    found: dict[str, list[str]] = {}
    with suppress(metadata.PackageNotFoundError):
        for line in metadata.requires("nucleate") or []:
            name = re.match(r"[\w.-]+", line)
            extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
            if name and extra and name[0] != "nucleate" and extra[1] not in _NOT_FOR_USERS:
                found.setdefault(name[0], []).append(extra[1])
    return found


def _optional_packages() -> Iterator[Finding]:
    for name, names in sorted(extras().items()):
        try:
            yield Finding("optional packages", name, metadata.version(name))
        except metadata.PackageNotFoundError:
            remedy = f'pip install "nucleate[{names[0]}]"'
            yield Finding("optional packages", name, "not installed", "absent", remedy)


def _devices() -> Iterator[Finding]:
    usable, everywhere = usable_cores(), os.cpu_count() or 1
    yield Finding("devices", "CPU cores", f"{usable} usable of {everywhere}")
    quota = _quota()
    if quota is not None and quota < usable:
        yield Finding(
            "devices",
            "CPU quota",
            f"this container may use {quota:g} cores",
            "problem",
            f"Give --workers {max(int(quota), 1)}; more workers than cores slow each other down",
        )
    with suppress(ValueError, OSError, AttributeError):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        yield Finding("devices", "memory", f"{memory:.1f} GiB")
    yield from _gpus()


def _quota() -> float | None:
    """Return how many cores the control group of this process may use; None without a limit."""
    with suppress(OSError, ValueError):
        limit, period = _CPU_QUOTA.read_text(encoding="ascii").split()
        return int(limit) / int(period)
    return None


def _gpus() -> Iterator[Finding]:
    if util.find_spec("torch") is None:
        yield Finding(
            "devices", "GPUs", "not known without torch", "absent", 'pip install "nucleate[chgnet]"'
        )
        return
    try:
        torch = import_module("torch")
        names = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    except Exception as error:  # noqa: BLE001  drivers and broken builds raise anything
        remedy = 'pip install --force-reinstall "torch"'
        yield Finding("devices", "GPUs", f"torch fails: {error}", "problem", remedy)
        return
    if not names and shutil.which("nvidia-smi"):
        yield Finding(
            "devices",
            "GPUs",
            f"an NVIDIA driver is installed, but torch {torch.__version__} uses no GPU",
            "problem",
            "Install the CUDA build of torch as https://pytorch.org/get-started describes",
        )
    else:
        yield Finding("devices", "GPUs", ", ".join(names) or "none")


def _threads() -> Iterator[Finding]:
    given = {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}
    shown = ", ".join(f"{name}={value}" for name, value in given.items())
    yield Finding("threads", "environment", shown or "not limited")
    with suppress(ImportError):
        info: list[dict[str, Any]] = import_module("threadpoolctl").threadpool_info()
        pools = {f"{pool['internal_api']} {pool['num_threads']}" for pool in info}
        yield Finding("threads", "libraries", ", ".join(sorted(pools)) or "none loaded")


def _folders(where: Path) -> Iterator[Finding]:
    from nucleate.surroundings import compiled_code_folder

    for name, folder, remedy in (
        ("working folder", where, "Change to a folder of your own, or give --out"),
        ("temporary folder", Path(tempfile.gettempdir()), "Set TMPDIR to a folder of your own"),
    ):
        yield _writable(name, folder, remedy)
    with suppress(RuntimeError):
        yield _writable("home", Path.home(), "Set HOME to a folder of your own")
    cache = compiled_code_folder()
    yield (
        Finding("folders", "compiled code", str(cache))
        if cache
        else Finding(
            "folders",
            "compiled code",
            "nowhere to keep it: every start compiles for a minute",
            "problem",
            "Set NUMBA_CACHE_DIR to a folder of your own",
        )
    )
    yield _lock(where)


def _writable(name: str, folder: Path, remedy: str) -> Finding:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("folders", name, f"{folder.resolve()} can be written")
    except OSError as error:
        text = f"{folder} cannot be written ({error.strerror})"
        return Finding("folders", name, text, "problem", remedy)


def _lock(where: Path) -> Finding:
    from filelock import FileLock

    remedy = "Do not start two runs in one folder, or choose a folder on a local disk"
    try:
        with (
            tempfile.TemporaryDirectory(dir=where, prefix=".nucleate-") as own,
            FileLock(Path(own) / "lock", timeout=5),
        ):
            pass
        return Finding("folders", "file locks", "work in the working folder")
    except (OSError, NotImplementedError, TimeoutError) as error:
        return Finding("folders", "file locks", f"fail ({error})", "problem", remedy)


def _programs() -> Iterator[Finding]:
    from nucleate.plugins import kinds

    for name, kind in sorted(kinds()["programs"].items()):
        try:
            command = kind.load().model_fields["command"].default
        except (InputError, KeyError, ImportError) as error:
            yield Finding("programs", name, f"cannot be loaded ({error})", "problem", str(error))
            continue
        yield _program(name, str(command))


def _program(kind: str, command: str) -> Finding:
    """Return whether the default command of an external program can be started."""
    if "{python}" in command:
        found = util.find_spec(kind) is not None
        missing = [] if found else [f"the Python package {kind}"]
    else:
        words = shlex.split(command)
        names = dict.fromkeys((words[0], words[-1]))
        missing = [name for name in names if shutil.which(name) is None]
    if not missing:
        return Finding("programs", kind, f"found: {command}")
    remedy = f"Install it, or give its place as command of [tier.engine] kind = '{kind}'"
    return Finding("programs", kind, f"not found: {', '.join(missing)}", "absent", remedy)


def _encoding() -> Finding:
    encoding = (getattr(sys.stdout, "encoding", None) or "none").lower()
    if encoding.replace("-", "") == "utf8":
        return Finding("terminal", "encoding", encoding)
    return Finding(
        "terminal",
        "encoding",
        f"{encoding}: some characters are shown as ?",
        "problem",
        "Set LANG=C.UTF-8 or PYTHONUTF8=1",
    )
