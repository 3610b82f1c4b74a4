"""From the command line's words to the input of a run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence


def folder_of(problem: str) -> Path:
    """Return the run folder of a command where none is given."""
    from nucleate.api.inputs import default_folder, is_input_file
    from nucleate.run.settings import read_toml

    formula: Any = problem
    if is_input_file(problem):
        section = read_toml(Path(problem)).get("problem", {})
        formula = section.get("formula") if isinstance(section, dict) else None
    return default_folder(formula) if isinstance(formula, str) and formula else Path("nucleate-run")


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
    from nucleate.relax.settings import EngineSettings

    kind, _, value = text.partition("=")
    engines = _models_by_kind(EngineSettings)
    if kind not in engines:
        raise InputError(f"--tier = {text!r} is not an engine. Use one of {', '.join(engines)}.")
    engine: dict[str, Any] = {"kind": kind}
    if value:
        first = next(name for name in engines[kind].model_fields if name != "kind")
        engine[first] = _absolute_if_file(value)
    return {"name": kind, "engine": engine}


def on_device(tier: dict[str, Any], device: str | None) -> dict[str, Any]:
    """Return a tier of :func:`parse_tier` whose engine computes on a device.

    Raises
    ------
    InputError
        If the engine knows no devices.
    """
    from nucleate.relax.settings import EngineSettings

    engine = tier["engine"]
    if device is None:
        return tier
    if "device" not in _models_by_kind(EngineSettings)[engine["kind"]].model_fields:
        raise InputError(
            f"--device = {device!r}: the engine {engine['kind']} has no device. Leave --device out."
        )
    return tier | {"engine": engine | {"device": device}}


def parse_generator(text: str) -> dict[str, Any]:
    """Return the settings of a generator from ``KIND``, ``KIND=WEIGHT`` or ``seeds=FILES``."""
    from nucleate.generate.settings import GeneratorSettings

    kind, _, value = text.partition("=")
    kinds = _models_by_kind(GeneratorSettings)
    if kind not in kinds:
        raise InputError(
            f"--generator = {text!r} is not a generator. Use one of {', '.join(kinds)}."
        )
    if not value:
        return {"kind": kind}
    if "files" in kinds[kind].model_fields:
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


def _models_by_kind(union: Any) -> dict[str, Any]:
    members = get_args(get_args(union)[0])
    return {member.model_fields["kind"].default: member for member in members}


def _absolute_if_file(value: str) -> str:
    return str(Path(value).absolute()) if Path(value).is_file() else value
