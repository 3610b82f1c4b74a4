"""The input of a run from what the face is given."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from nucleate.api.continued import stop_of_now
from nucleate.api.in_map import check_in_map, input_in_map, is_in_map
from nucleate.crystal.composition import MOST_ATOMS_IN_A_CELL, Composition
from nucleate.errors import InputError
from nucleate.programs.presets import preset_names, preset_text
from nucleate.run.presets import run_preset_names, run_preset_text
from nucleate.run.trust import began_by_user, check_trusted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.run.settings import RunSettings

    Overrides = Mapping[str, Mapping[str, Any]]


__all__ = [
    "MOST_ATOMS_IN_A_CELL",
    "absolute",
    "default_folder",
    "executor_section",
    "given",
    "is_input_file",
    "json_schema",
    "libraries",
    "preset_names",
    "preset_text",
    "reduced_formula",
    "run_preset_names",
    "run_preset_text",
    "settings_of",
]


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None or empty."""
    return {key: value for key, value in options.items() if value is not None and value != []}


def absolute(path: str | Path | None) -> str | None:
    """Return the path of a file independent of the working folder."""
    return None if path is None else str(Path(path).absolute())


def libraries(items: str | Path | Sequence[str | Path] | None) -> list[str] | None:
    """Return libraries of known structures, files independent of the working folder."""
    if items is None:
        return None
    listed = [items] if isinstance(items, str | Path) else items
    return [str(item) if item == "shipped" else str(Path(item).absolute()) for item in listed]


def is_input_file(problem: str) -> bool:
    """Return whether something is an input file rather than a formula."""
    return problem.endswith(".toml") or "/" in problem or os.path.isfile(problem)  # noqa: PTH113 (no error for names that are too long)


def reduced_formula(formula: str) -> str:
    """Return a formula as it is written in files; raises InputError if it is none."""
    return Composition.from_formula(formula).formula


def default_folder(problem: str) -> Path:
    """Return the run folder of a formula or an input file where none is given."""
    from nucleate.run.settings import read_toml

    formula: Any = problem
    if is_input_file(problem):
        section: Any = read_toml(Path(problem)).get("problem", {})
        formula = section.get("formula") if hasattr(section, "get") else None
    if isinstance(formula, str) and formula:
        return Path(f"nucleate-{reduced_formula(formula)}")
    return Path("nucleate-run")


def json_schema(*, of_map: bool = False) -> dict[str, Any]:
    """Return the JSON schema of the input file: of a run, or of a map."""
    if of_map:
        from nucleate.mapping.settings import json_schema as schema
    else:
        from nucleate.run.settings import json_schema as schema
    return schema()


def settings_of(
    problem: Any,
    overrides: Overrides | None = None,
    *,
    folder: Path | None = None,
    preset: str | None = None,
    trust: bool = False,
) -> RunSettings:
    """Return the input that a problem and some options make.

    An option that is not given has, in this order, the value of the input file, that of the
    preset, that of the run which the folder holds already (formulas only) or of the map to which it
    belongs, or the default.

    Parameters
    ----------
    problem
        A formula, the path of an input file, settings, or an input as a mapping.
    overrides
        Options by section and key; those that are None or empty count as not given. The section
        ``""`` holds keys without one, such as ``tier``.
    folder
        Run folder, if there is one.
    preset
        Name of a preset, such as ``fuse2``.
    trust
        Use what the stored input of the folder imports or executes.

    Raises
    ------
    InputError
        If the input cannot be used, or the stored one names code without ``trust``.
    """
    from nucleate.api.models import as_tiers
    from nucleate.run.presets import check_kind, over_preset, run_preset, tiers_over_preset
    from nucleate.run.settings import RunSettings

    data, source = _data(problem, folder)
    is_formula = isinstance(problem, str) and not is_input_file(problem)
    own = given(**(overrides or {}).get("", {}))
    belongs_to_map = folder is not None and is_in_map(folder)
    if folder is not None and is_formula and belongs_to_map:
        data = input_in_map(folder, problem, tiers=own.get("tier"), trust=trust)
    if is_formula and "stop" in data:
        data["stop"] = stop_of_now(data["stop"], (overrides or {}).get("stop", {}))
    if "field" in data and "problem" not in data:
        raise InputError(_of_a_map(source))
    if preset is not None:
        data = {**data, **run_preset(preset)} if is_formula else over_preset(data, preset)
        check_kind((overrides or {}).get("search", {}), preset)
    if folder is not None and is_formula and not belongs_to_map:
        rest = {key: data[key] for key in data if key not in own}
        check_trusted(folder, rest, trust=trust or began_by_user(folder))
    for section, values in (overrides or {}).items():
        if preset is not None and section == "" and values.get("tier"):
            values = {**values, "tier": tiers_over_preset(as_tiers(values["tier"]), preset)}
        if given(**values):
            part = data.setdefault(section, {}) if section else data
            part.update(given(**values))
    settings = RunSettings.from_dict(_in_stored_spelling(data, folder), source=source)
    if folder is not None and belongs_to_map:
        check_in_map(folder, settings, trust=trust)
    return settings


def _of_a_map(source: str) -> str:
    name = source or "FILE"
    return (
        f"{source or 'The input'} is of a map, as it has [field] and no [problem]. Use `nucleate "
        f"map {name}`, which checks it with --dry-run."
    )


def _data(problem: Any, folder: Path | None) -> tuple[dict[str, Any], str]:
    """Return an input as nested dictionaries, and the name of its file."""
    from nucleate.run.paths import with_absolute_paths
    from nucleate.run.settings import RunSettings, read_toml

    if isinstance(problem, RunSettings):
        return problem.to_dict(), ""
    if isinstance(problem, Mapping):
        return json.loads(json.dumps(dict(cast("Mapping[str, Any]", problem)))), ""
    if isinstance(problem, Path) or (isinstance(problem, str) and is_input_file(problem)):
        path = Path(problem)
        return with_absolute_paths(read_toml(path), path.parent), str(problem)
    if not isinstance(problem, str):
        raise InputError(
            f"problem is a {type(problem).__name__}. Give a formula such as 'SrTiO3', the path of "
            "an input file, or settings."
        )
    stored = None if folder is None else _stored_input(folder, problem)
    return stored or {"problem": {"formula": problem}}, ""


def _stored_input(folder: Path, formula: str) -> dict[str, Any] | None:
    """Return the input of the run in a folder, with the formula as it is given now."""
    from nucleate.run.folder import stored_input
    from nucleate.run.store import Store

    if not Store.exists(folder):
        return None
    with Store.read(folder) as store:
        data: dict[str, Any] = stored_input(store.meta)
    if "problem" not in data:
        raise InputError(f"{folder} holds relaxed structures of files. Choose another folder.")
    if not _is_same(formula, data["problem"]["formula"]):
        data["problem"]["formula"] = formula
    return data


def _in_stored_spelling(data: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Return an input with the formula and names of tiers as the run of a folder has them."""
    from nucleate.run.new_keys import with_stored_names
    from nucleate.run.store import Store

    problem: Any = data.get("problem")
    if folder is None or not Store.exists(folder) or not isinstance(problem, dict):
        return data
    with Store.read(folder) as store:
        old = store.meta.get("input", {})
    data, stored = with_stored_names(data, old), old.get("problem", {}).get("formula")
    now: Any = dict(cast("Mapping[str, Any]", problem)).get("formula")
    if isinstance(now, str) and isinstance(stored, str) and _is_same(now, stored):
        return {**data, "problem": {**problem, "formula": stored}}
    return data


def _is_same(first: str, second: str) -> bool:
    """Return whether two formulas are of one composition; False where one cannot be read."""
    try:
        counts = [dict(Composition.from_formula(text).items) for text in (first, second)]
    except InputError:
        return False
    return counts[0] == counts[1]


def executor_section(executor: Any) -> dict[str, Any]:
    """Return the section ``[executor]`` from a kind, a file with the section, or settings."""
    from nucleate.run.settings import read_toml

    if isinstance(executor, BaseModel):
        return executor.model_dump(mode="json")
    if isinstance(executor, Mapping):
        return dict(cast("Mapping[str, Any]", executor))
    if isinstance(executor, str) and not is_input_file(executor):
        return {"kind": executor}
    section = read_toml(Path(executor)).get("executor")
    if not isinstance(section, dict):
        raise InputError(f"{executor}: has no [executor]. Make one with nucleate cluster init.")
    return cast("dict[str, Any]", section)
