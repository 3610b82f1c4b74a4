"""Results of calculations that were submitted by hand become a tier of the run."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.names import is_safe_name, safe_name
from nucleate.programs.jobs import (
    MANIFEST,
    NotFinishedError,
    read_folder,
    read_manifest,
    write_folder,
)
from nucleate.relax.settings import under_pressure
from nucleate.run.lock import locked
from nucleate.run.pressure import compression_of
from nucleate.run.refinement import check_is_search, check_not_searched
from nucleate.run.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.crystal.crystal import Crystal
    from nucleate.relax.outcome import Relaxed
    from nucleate.relax.settings import TierSettings
    from nucleate.search.record import Record

LIST = "hand-off.json"
"""File beside the folders that says which there are."""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import found.

    Attributes
    ----------
    tier : str
        Name of the tier.
    imported : tuple of (str, int, bool)
        Folder, record, and whether it is converged.
    known : tuple of (str, int)
        Those that were read in before and have not changed.
    problems : tuple of (str, str)
        Folders that give no result, each with its reason.
    """

    tier: str
    imported: tuple[tuple[str, int, bool], ...]
    known: tuple[tuple[str, int], ...]
    problems: tuple[tuple[str, str], ...]


def hand_off(
    run: Path, items: Sequence[tuple[str, int, Crystal]], tier: TierSettings, out: Path
) -> None:
    """Write a folder for each of some records of a run.

    Parameters
    ----------
    run
        The run folder.
    items
        Name of the folder, number of the record, and geometry.
    tier
        Engine and criteria.
    out
        Where to; must not hold anything yet.

    Raises
    ------
    InputError
        If the run is none, ``out`` is not empty, or an input cannot be written.
    """
    if out.exists() and any(out.iterdir()):
        raise InputError(f"--out = {out} is not empty. Give the name of a new folder.")
    with Store.read(run) as store:
        about = _identity(store)
        pressure_gpa = float(store.meta["input"]["problem"]["pressure_gpa"])
        (tier,) = under_pressure((tier,), compression_of(store))
    for name, number, crystal in items:
        write_folder(
            out / safe_name(name),
            crystal,
            tier,
            pressure_gpa=pressure_gpa,
            about={"run": about, "record": number},
        )
    folders = {safe_name(name): number for name, number, _ in items}
    text = json.dumps({"run": about, "folders": folders}, indent=1)
    (out / LIST).write_text(text, encoding="utf-8")


def import_results(
    folder: str | Path, jobs: str | Path, *, name: str | None = None
) -> ImportSummary:
    """Read finished calculations of :func:`nucleate.api.export_jobs` as a tier of a run.

    What is not finished is reported and left out; a later import adds it.

    Parameters
    ----------
    folder
        The run folder.
    jobs
        What was exported, or one of its folders.
    name
        Name of the tier; default that under which it was exported.

    Raises
    ------
    InputError
        If the run is none, there is no such folder, or the energies would not be comparable with
        each other or with those of the tier.
    """
    path, root = Path(folder), Path(jobs)
    check_is_search(path)
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder. Give the one that `nucleate export --for` wrote."
        )
    with locked(path), Store.append_to(path) as store:
        records = {record.number: record for record, _ in store.records()}
        root, places = _places(root)
        manifests, problems = _manifests(root, places, _identity(store), records)
        if not manifests:
            shown = "".join(f"\n  {place}: {reason}" for place, reason in problems)
            raise InputError(
                f"{root} holds no calculation of this run. Give the folder that `nucleate export "
                f"{path} --for ...` wrote.{shown}"
            )
        level = one_level(manifests, root)
        chosen = name or str(next(iter(manifests.values()))["tier"]["name"])
        tier = _Tier(store, chosen, level)
        imported: list[tuple[str, int, bool]] = []
        known: list[tuple[str, int]] = []
        for place, manifest in manifests.items():
            number = manifest["record"]
            try:
                outcome = read_folder(root / place, manifest)
            except NotFinishedError as error:
                problems.append((place, str(error)))
                continue
            if _is_same(records[number].relaxed_by(chosen), outcome):
                known.append((place, number))
            else:
                tier.add(number, outcome, manifest)
                imported.append((place, number, outcome.converged))
        store.commit()
    return ImportSummary(chosen, tuple(imported), tuple(known), tuple(problems))


class _Tier:
    """The tier that results are added to; it is made with the first of them."""

    def __init__(self, store: Store, name: str, level: dict[str, str]) -> None:
        check_not_searched(store, name)
        self._store = store
        self._name = name
        self._level = level
        before = store.added_tiers().get(name)
        self._is_new = before is None
        if before is not None and before["source"] != "import":
            raise InputError(
                f"--tier = {name!r} is a tier that `nucleate refine` made. Give another name."
            )
        if before is not None and before["level"] != level:
            raise InputError(
                f"--tier = {name!r} holds energies of {_words(before['level'])}, and these are of "
                f"{_words(level)}; they cannot be compared. Give another name."
            )

    def add(self, number: int, outcome: Relaxed, manifest: Mapping[str, Any]) -> None:
        """Write the outcome of a record."""
        if self._is_new:
            data = {"source": "import", "level": self._level, "settings": manifest["tier"]}
            elapsed_s = max((time_s for time_s, *_ in self._store.events()), default=0.0)
            self._store.add_tier(elapsed_s, self._name, data)
            self._is_new = False
        self._store.append_outcome(number, self._name, outcome)


def _identity(store: Store) -> dict[str, Any]:
    """Return what identifies a run."""
    return {key: store.meta.get(key) for key in ("formula", "seed", "created")}


def _manifests(
    root: Path, places: Sequence[str], identity: dict[str, Any], records: Mapping[int, Record]
) -> tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]:
    """Return the manifests of the folders of this run by name, and what is wrong with others."""
    found: dict[str, dict[str, Any]] = {}
    problems: list[tuple[str, str]] = []
    owner: dict[int, str] = {}
    for place in places:
        if not (root / place).is_dir():
            problems.append((place, "is missing"))
            continue
        try:
            manifest = read_manifest(root / place)
        except NotFinishedError as error:
            problems.append((place, str(error)))
            continue
        number = manifest["record"]
        if manifest["run"] != identity or number not in records:
            problems.append((place, f"is of another run ({manifest['run'].get('formula')})"))
        elif number in owner:
            problems.append((place, f"is of record {number}, as is {owner[number]}"))
        else:
            owner[number] = place
            found[place] = manifest
    return found, problems


def _places(root: Path) -> tuple[Path, list[str]]:
    """Return the folder above the calculations, and the names of those there are or should be."""
    if (root / MANIFEST).is_file():
        return root.resolve().parent, [root.resolve().name]
    names = {path.name for path in root.iterdir() if path.is_dir()}
    listed = root / LIST
    if listed.is_file():
        with suppress(ValueError, KeyError, TypeError):
            listed_names = json.loads(listed.read_text(encoding="utf-8"))["folders"]
            names |= {name for name in listed_names if is_safe_name(str(name))}
    return root, sorted(names)


def one_level(manifests: Mapping[str, dict[str, Any]], root: Path) -> dict[str, str]:
    """Return the level of theory of all; raises InputError if they have different ones."""
    by_level: dict[str, list[str]] = {}
    for place, manifest in manifests.items():
        by_level.setdefault(_words(manifest["level"]), []).append(place)
    if len(by_level) > 1:
        shown = "".join(f"\n  {words}: {', '.join(places)}" for words, places in by_level.items())
        raise InputError(
            f"{root} holds energies that cannot be compared. Import each kind by itself, with a "
            f"--tier of its own:{shown}"
        )
    return next(iter(manifests.values()))["level"]


def _is_same(before: Relaxed | None, now: Relaxed) -> bool:
    return before is not None and (before.energy, asdict(before.level)) == (
        now.energy,
        asdict(now.level),
    )


def _words(level: Mapping[str, str]) -> str:
    return " ".join(str(value) for value in level.values() if value)
