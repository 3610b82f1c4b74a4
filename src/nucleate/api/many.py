"""Many searches from one table, which share one pool of workers."""

from __future__ import annotations

import csv
import json
import os
import platform
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.claimed import search_claimed
from nucleate.api.final import finish, judge_of
from nucleate.api.holding import MANY, holds_many
from nucleate.api.inputs import absolute, is_input_file, settings_of
from nucleate.api.models import has_objects, inline_executor
from nucleate.api.run import Run, status_of
from nucleate.api.searching import overrides_of
from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.names import safe_name
from nucleate.run.claims import holder_of
from nucleate.run.many import Many, Wanted
from nucleate.run.store import Store
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Say = Callable[[str], None]

NUMBERS = {
    "priority": float, "structures": int, "max_atoms": int, "seed": int, "pressure_gpa": float,
    "without_improvement": int,
}  # fmt: skip
"""Columns with numbers."""

COLUMNS = ("problem", "name", "time", "core_time", *NUMBERS)


@dataclass(frozen=True, slots=True)
class Runs:
    """Many searches and what they have found.

    Attributes
    ----------
    folder : Path
        Holds a folder for each.
    refused : dict of str to str
        Why some could not be begun, by name.
    """

    folder: Path
    refused: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """Names of the searches in the order in which they come."""
        return [item["name"] for item in self._listed()]

    def __getitem__(self, name: str) -> Run:
        return Run(self.folder / name)

    def status(self) -> dict[str, Any]:
        """Return the state of all as JSON-ready facts; times in seconds."""
        rows = [self._row(item) for item in self._listed()]
        return {"folder": str(self.folder), "runs": rows}

    def _listed(self) -> list[dict[str, Any]]:
        return json.loads((self.folder / MANY).read_text(encoding="utf-8"))["runs"]

    def _row(self, item: Mapping[str, Any]) -> dict[str, Any]:
        holder = holder_of(self.folder, item["name"])
        where = "" if holder is None else holder.in_words()
        row = {**item, "state": "waits", "structures": 0, "core_s": 0.0, "best": None, "unit": "",
               "claimed_by": where}  # fmt: skip
        path = self.folder / item["name"]
        if not Store.exists(path):
            return row
        facts = status_of(path, best=1)
        state = "runs" if facts["running"] else facts["stop_reason"] or "interrupted"
        top = Run(path).top(1)
        return row | {
            "state": state,
            "structures": facts["structures"],
            "core_s": facts["core_s"],
            "best": top[0].relaxed.enthalpy_per_atom if top else None,
            "unit": top[0].relaxed.level.unit if top else "",
        }


def predict_many(
    file: str | Path,
    *,
    folder: str | Path | None = None,
    preset: str | None = None,
    say: Say = lambda _: None,
    trust: bool = False,
    claim: bool = False,
    **options: Any,
) -> Runs:
    """Search for the structures of every composition of a table, with one pool of workers.

    Parameters
    ----------
    file
        CSV file with a column ``problem`` (a formula, or an input file relative to the table),
        and any of ``name``, ``priority`` (the higher, the earlier), ``structures``, ``time``,
        ``core_time``, ``without_improvement``, ``max_atoms``, ``pressure_gpa`` and ``seed``.
    folder
        Holds a run folder for each; what is there is continued. Default: ``nucleate-TABLE``.
    preset
        As in :func:`nucleate.predict`, for all rows.
    say
        Called with a line when a search begins or ends.
    trust
        Run programs and modules that the stored inputs of existing folders name.
    claim
        Share the table with other commands, such as the parts of an array of jobs: take one row
        after the other that no other command has, until there is none.
    options
        As in :func:`nucleate.predict`, for all rows; what a row says comes first.

    Raises
    ------
    InputError
        If the table or an option cannot be used.
    """
    path = Path(file)
    place = Path(f"nucleate-{path.stem}") if folder is None else Path(folder)
    wanted = [_wanted(row, place, options, preset=preset, trust=trust) for row in rows_of(path)]
    for item in wanted:
        judge_of(item.settings.final)
    wanted.sort(key=lambda item: -item.priority)
    place.mkdir(parents=True, exist_ok=True)
    _write_table(place, wanted, shared=claim)
    if claim:
        return Runs(place, search_claimed(wanted, place, say))
    executor = None
    if wanted and has_objects(wanted[0].settings.tier):
        pressure = wanted[0].settings.problem.pressure_gpa
        executor = partial(inline_executor, pressure_gpa=pressure)
    summary = Many(wanted, place, executor=executor, say=say).run()
    for item in wanted:
        ended = summary.ended.get(item.name)
        if ended is None or ended.best is None or ended.error or summary.reason:
            continue
        if not is_request(ended.reason):
            for line in finish(place / item.name, item.settings).text:
                say(f"{item.name}: {line}")
    return Runs(place, summary.refused)


def _write_table(place: Path, wanted: list[Wanted], *, shared: bool) -> None:
    """Write down which searches there are; raises InputError if others use another table."""
    text = json.dumps(
        {
            "runs": [
                {
                    "name": item.name,
                    "formula": item.settings.problem.formula,
                    "priority": item.priority,
                }
                for item in wanted
            ]
        },
        indent=1,
    )
    path = place / MANY
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    if shared and known and known != text:
        for name in (item["name"] for item in json.loads(known)["runs"]):
            if (holder := holder_of(place, name)) is not None:
                raise InputError(
                    f"{place}: {holder.in_words()} searches {name} for another table. Wait for its "
                    "end, use the same table, or choose another folder with --out."
                )
    if known != text:
        beside = path.with_name(f".{MANY}.{os.getpid()}.{platform.node()}")
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table with their values; raises InputError for what cannot be used."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            heads = [str(name).strip() for name in reader.fieldnames or ()]
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}). Check the path.") from error
    unknown = [name for name in heads if name not in COLUMNS]
    if unknown or "problem" not in heads:
        what = f"{unknown[0]!r} is no column" if unknown else "the column 'problem' is missing"
        raise InputError(
            f"{path}: {what}. The column of formulas and input files is 'problem'; all columns: "
            f"{', '.join(COLUMNS)}."
        )
    rows = [_row(path, number, heads, line) for number, line in enumerate(lines, 2)]
    if not rows:
        raise InputError(f"{path}: has no rows. Add a line for each composition.")
    return _named(rows)


def _row(path: Path, number: int, heads: list[str], line: Mapping[Any, Any]) -> dict[str, Any]:
    if None in line:
        raise InputError(f"{path}, line {number}: has more values than columns. Correct it.")
    texts = dict(zip(heads, (str(value or "").strip() for value in line.values()), strict=True))
    if not texts["problem"]:
        raise InputError(f"{path}, line {number}: 'problem' is empty. Give a formula or an input.")
    row: dict[str, Any] = {key: text for key, text in texts.items() if text}
    for key in NUMBERS.keys() & row.keys():
        try:
            row[key] = NUMBERS[key](row[key])
        except ValueError:
            raise InputError(
                f"{path}, line {number}: {key} = {row[key]!r} is not a number. Correct it."
            ) from None
    if is_input_file(row["problem"]):
        row["problem"] = absolute(path.parent / row["problem"])
        return row
    try:
        Composition.from_formula(row["problem"])
    except InputError as error:
        raise InputError(f"{path}, line {number}: {error}") from None
    return row


def _named(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give every row a name of its own, which is that of its folder."""
    taken: set[str] = set()
    for row in rows:
        problem = row["problem"]
        is_file = is_input_file(problem)
        base = row.get("name") or (
            Path(problem).stem if is_file else Composition.from_formula(problem).formula
        )
        name, number = safe_name(base), 2
        while name in taken:
            name, number = f"{safe_name(base)}-{number}", number + 1
        taken.add(name)
        row["name"] = name
    return rows


def _wanted(
    row: Mapping[str, Any],
    place: Path,
    options: Mapping[str, Any],
    *,
    preset: str | None,
    trust: bool,
) -> Wanted:
    given = {**options, **{key: row[key] for key in row if key not in ("problem", "name")}}
    priority = float(given.pop("priority", 0.0))
    try:
        settings = settings_of(
            row["problem"],
            overrides_of(given),
            folder=place / row["name"],
            preset=preset,
            trust=trust,
        )
    except InputError as error:
        raise InputError(f"{row['name']}: {error}") from None
    return Wanted(row["name"], settings, priority)


def open_many(folder: str | Path) -> Runs:
    """Return the searches of a folder; raises InputError if it holds none."""
    if not holds_many(folder):
        raise InputError(f"{folder} holds no table of searches. Give the folder of predict TABLE.")
    return Runs(Path(folder), {})


def table_text(facts: Mapping[str, Any]) -> str:
    """Return :meth:`Runs.status` as text."""
    lines = [f"{'name':20} {'structures':>10} {'best/atom':>14} {'core s':>8}  state"]
    for row in facts["runs"]:
        unit = "eV" if row["unit"] == "eV" else "a.u."
        best = "" if row["best"] is None else f"{row['best']:.4f} {unit}"
        lines.append(
            f"{row['name']:20} {row['structures']:10d} {best:>14} {row['core_s']:8.0f}  "
            f"{row['state']}" + (f" (claimed by {row['claimed_by']})" if row["claimed_by"] else "")
        )
    return "\n".join(lines)
