"""The level of theory of a tier, identified by what it computes with and not by names alone.

Energies may meet in one hull only where the same code and the same files have computed them. The
key of a level therefore counts files, folders and modules of the user by their content. Across
maps, versions of packages count too, and a level that cannot be identified from here (an external
program, another interpreter, code that is named by an import path) is not shared at all.
"""

from __future__ import annotations

import hashlib
import json
import re
import site
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.run.folder import flat, may_change_of_tier, surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nucleate.mapping.store import MapStore
    from nucleate.relax.settings import TierSettings

CONTENTS = "contents"
"""Key of the store of a map: hashes of what the settings of its last tier name."""

_NOT_OF_THE_LEVEL = ("name", "promote")
"""Settings of a tier that change no energy, beside those that may differ in a continued run."""

_IMPORT_PATH = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*):[A-Za-z_][\w.]*")


@dataclass(frozen=True, slots=True)
class Level:
    """The level of theory of a tier at a pressure.

    Attributes
    ----------
    key : str
        The same for the same settings on the same content of files, folders and modules.
    shared : str
        The same for the same ``key`` and versions of packages; empty where the code that computes
        cannot be identified, so that no other map may use its energies.
    contents : dict
        Hash of each file, folder or module that a setting names, by the setting and its value.
    """

    key: str
    shared: str
    contents: dict[str, str]


def level_of(tier: TierSettings, pressure_gpa: float = 0.0) -> Level:
    """Return the level of theory of a tier.

    A hash of its settings without names, promotion, and what says only where and how a program
    runs (interpreter, command, cores, limits of time).

    Parameters
    ----------
    tier
        Of the ladder.
    pressure_gpa
        External pressure.
    """
    settings: dict[str, Any] = {}
    contents: dict[str, str] = {}
    for key, value in flat(tier.model_dump(mode="json")).items():
        if not is_of_the_level(key):
            continue
        digest = _digest(value)
        settings[key] = digest or value
        if digest:
            contents[f"{key} = {value!r}"] = digest
    text = json.dumps([[settings], float(pressure_gpa)], sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    shared = ""
    if _is_identified(tier):
        versions = json.dumps([key, _versions(tier)], sort_keys=True)
        shared = hashlib.sha256(versions.encode()).hexdigest()[:16]
    return Level(key, shared, contents)


def is_of_the_level(key: str) -> bool:
    """Return whether a setting of a tier, such as ``engine.model``, may change energies."""
    return not may_change_of_tier(key) and key.split(".")[0] not in _NOT_OF_THE_LEVEL


def check_contents(level: Level, store: MapStore, *, has_energies: bool) -> None:
    """Check that a continued map computes with what it began with, and remember that.

    Parameters
    ----------
    level
        Of the last tier.
    store
        Of the map.
    has_energies
        Whether a search of the map has found energies. Known compounds alone are relaxed again.

    Raises
    ------
    InputError
        If a file, folder or module has another content now and there are energies of the earlier.
    """
    before = store.meta.get(CONTENTS)
    if before == level.contents:
        return
    if before is not None and has_energies:
        changed = sorted({item for item, _ in before.items() ^ level.contents.items()})
        raise InputError(
            f"{'; '.join(changed)}: its content has changed since the map began, and energies of "
            "both would meet in one hull. Put the earlier content back, or choose another folder "
            "with --out."
        )
    store.remember(CONTENTS, level.contents)


def _is_identified(tier: TierSettings) -> bool:
    """Return whether versions and files say what computes the energies."""
    engine = tier.engine
    values = flat(engine.model_dump(mode="json")).values()
    return not (
        tier.python is not None
        or engine.is_program
        or not type(engine).__module__.startswith("nucleate.")
        or any(isinstance(value, str) and _IMPORT_PATH.fullmatch(value) for value in values)
    )


def _versions(tier: TierSettings) -> dict[str, str]:
    """Return the versions of Python, nucleate, and the packages that may compute."""
    versions: dict[str, str] = surroundings()["versions"]
    name = getattr(tier.engine, "distribution", None)
    if name:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def _digest(value: Any) -> str:
    """Return the hash of the file, folder or module that a value names; empty if it names none."""
    if not isinstance(value, str) or not value or "\0" in value:
        return ""
    try:
        path = Path(value)
        is_path = path.is_absolute() or path.suffix or len(path.parts) > 1  # "ase" is a kind
        if is_path and path.is_file():
            return "sha256:" + _of_file(path)
        if path.is_absolute() and path.is_dir():
            return "sha256:" + _of_files(path, path.rglob("*"))
    except (OSError, ValueError):
        return ""
    found = _IMPORT_PATH.fullmatch(value)
    return _of_module(found[1]) if found else ""


def _of_module(name: str) -> str:
    """Return the hash of a module of the user, or of the package that holds it.

    Empty for what is installed, which has a version, for what this process cannot find, and for
    the script that runs.
    """
    if name == "__main__":
        return ""
    try:
        found = find_spec(name.partition(".")[0])
    except (ImportError, ValueError):
        return ""
    if found is None or not found.has_location or found.origin is None:
        return ""
    path = Path(found.origin).resolve()
    if any(path.is_relative_to(folder) for folder in _installed()):
        return ""
    try:
        if found.submodule_search_locations:
            return "sha256:" + _of_files(path.parent, path.parent.rglob("*.py"))
        return "sha256:" + _of_file(path)
    except OSError:
        return ""


def _installed() -> Iterator[Path]:
    """Yield the folders of installed packages and of Python itself."""
    names = ("purelib", "platlib", "stdlib", "platstdlib")
    for folder in (*map(sysconfig.get_path, names), *site.getsitepackages()):
        yield Path(folder).resolve()
    yield Path(site.getusersitepackages()).resolve()


def _of_file(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _of_files(folder: Path, files: Iterator[Path]) -> str:
    """Return the hash of files by their names within a folder and their contents."""
    total = hashlib.sha256()
    for path in sorted(files):
        if path.is_file():
            total.update(f"{path.relative_to(folder).as_posix()}\0{_of_file(path)}\n".encode())
    return total.hexdigest()
