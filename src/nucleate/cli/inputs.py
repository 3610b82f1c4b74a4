"""From the command line's words to the input of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError
from nucleate.run.trust import check_trusted, is_own

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nucleate.run.settings import RunSettings


def is_input_file(problem: str) -> bool:
    """Return whether the argument of ``predict`` is an input file rather than a formula."""
    return problem.endswith(".toml") or "/" in problem or Path(problem).is_file()


def default_folder(formula: str) -> Path:
    """Return the run folder of a composition where none is given."""
    from nucleate.crystal.composition import Composition

    return Path(f"nucleate-{Composition.from_formula(formula).formula}")


def read_input(
    problem: str, overrides: dict[str, dict[str, Any]], out: Path | None, *, trust: bool = False
) -> tuple[RunSettings, Path]:
    """Return the settings and the run folder of a command.

    An option that was not given has, in this order, the value of the input file, that of the run
    which the folder holds already (formulas only), or the default.

    Parameters
    ----------
    problem
        A formula or the path of an input file.
    overrides
        Options that were given, by section and key; ``{"": {"tier": [...]}}`` for the tiers.
    out
        Run folder, if given.
    trust
        Use what the stored input of the folder imports or executes.
    """
    from nucleate.run.settings import RunSettings, read_toml, with_absolute_paths

    if is_input_file(problem):
        path = Path(problem)
        data, source = with_absolute_paths(read_toml(path), path.parent), problem
        formula = data.get("problem", {}).get("formula", "")
    else:
        data, source, formula = {"problem": {"formula": problem}}, "", problem
    if not (out or isinstance(formula, str)):
        formula = ""
    folder = out or (default_folder(formula) if formula else Path("nucleate-run"))
    if not source:
        stored, is_mine = _stored_input(folder, problem)
        if stored is not None:
            own = {key for key, value in overrides.get("", {}).items() if value}
            check_trusted(
                folder,
                {key: stored[key] for key in stored if key not in own},
                trust=trust or is_mine,
            )
        data = stored or data
    for section, values in overrides.items():
        part = data.setdefault(section, {}) if section else data
        part.update(values)
    return RunSettings.from_dict(data, source=source), folder


def given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None or empty."""
    return {key: value for key, value in options.items() if value is not None and value != []}


def parse_formula_units(text: str | None) -> list[int] | None:
    """Return the numbers of ``1,2,4`` or ``1-4``; raises InputError if it is neither."""
    if text is None:
        return None
    units: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise InputError(
                f"--formula-units = {text!r} is not a list of numbers. Write it like 1,2,4 or 1-4."
            )
        units |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return sorted(units)


def parse_tier(text: str) -> dict[str, Any]:
    """Return the settings of a tier from ``KIND`` or ``KIND=VALUE``.

    The value is the first setting of the engine: the model of CHGNet, the file of a force field.
    """
    kind, _, value = text.partition("=")
    fields = _fields("--tier", text, kind, "models", "programs")
    engine: dict[str, Any] = {"kind": kind}
    if value:
        first = next(name for name in fields if name != "kind")
        engine[first] = _absolute_if_file(value)
    return {"name": kind, "engine": engine}


def on_device(tier: dict[str, Any], device: str | None) -> dict[str, Any]:
    """Return a tier of :func:`parse_tier` whose engine computes on a device.

    Raises
    ------
    InputError
        If the engine knows no devices.
    """
    from nucleate.plugins import find

    engine = tier["engine"]
    if device is None:
        return tier
    if "device" not in find(engine["kind"], "models", "programs").model_fields:
        raise InputError(
            f"--device = {device!r}: the engine {engine['kind']} has no device. Leave --device out."
        )
    return tier | {"engine": engine | {"device": device}}


def parse_generator(text: str) -> dict[str, Any]:
    """Return the settings of a generator from ``KIND``, ``KIND=WEIGHT`` or ``seeds=FILES``."""
    kind, _, value = text.partition("=")
    fields = _fields("--generator", text, kind, "generators")
    if not value:
        return {"kind": kind}
    if "files" in fields:
        return {"kind": kind, "files": [str(Path(value).absolute())]}
    try:
        return {"kind": kind, "weight": float(value)}
    except ValueError:
        raise InputError(
            f"--generator = {text!r}: {value!r} is not a weight. Write it like {kind}=2."
        ) from None


def parse_all(parse: Any, texts: Sequence[str] | None) -> list[dict[str, Any]] | None:
    """Return the parsed values of a repeated option, None if it was not given."""
    return [parse(text) for text in texts] if texts else None


def _fields(option: str, text: str, kind: str, *groups: str) -> list[str]:
    """Return the keys of a kind; raises InputError that names the option."""
    from nucleate.plugins import find

    try:
        return list(find(kind, *groups).model_fields)
    except InputError as error:
        raise InputError(f"{option} = {text!r}: {error}") from None


def _absolute_if_file(value: str) -> str:
    return str(Path(value).absolute()) if Path(value).is_file() else value


def _stored_input(folder: Path, formula: str) -> tuple[dict[str, Any] | None, bool]:
    """Return the input of the run in a folder, with the formula as it was given now.

    And whether it is known that this user has given that input.
    """
    from nucleate.crystal.composition import Composition
    from nucleate.run.store import Store

    if not Store.exists(folder):
        return None, False
    with Store.read(folder) as store:
        meta = store.meta
        data: dict[str, Any] = json.loads(json.dumps(meta["input"]))
        own = is_own(meta["input"], meta.get("mark"))
    data["run"] = {key: value for key, value in data["run"].items() if key != "time"}
    now, before = (Composition.from_formula(text) for text in (formula, data["problem"]["formula"]))
    if now.items != before.items:
        data["problem"]["formula"] = formula
    return data, own
