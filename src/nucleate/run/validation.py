"""From pydantic's errors to one sentence that names key, value and remedy."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from nucleate.errors import InputError
from nucleate.plugins import component_groups, find

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails


TABLES = {
    "model_type": "a table with keys",
    "dict_type": "a table with keys",
    "tuple_type": "a list, in square brackets",
    "list_type": "a list, in square brackets",
}
"""What an input must be where it has a value in place of a table or a list."""

KINDS = TABLES | {"string_type": "text in quotes", "int_type": "a whole number",
                  "float_type": "a number", "bool_type": "true or false"}  # fmt: skip
"""The same of a key that takes values of several kinds."""


def _table(path: Sequence[str | int]) -> str:
    """Return the beginning of a table as TOML has it."""
    names = ".".join(step for step in path if isinstance(step, str))
    return f"[[{names}]]" if path and isinstance(path[-1], int) else f"[{names}]"


def input_error(
    error: ValidationError, data: Mapping[str, Any], model: type[BaseModel], source: str = ""
) -> InputError:
    """Return the error to raise for the first thing that is wrong with an input.

    Parameters
    ----------
    error
        What pydantic says; a misspelt key goes first, as other errors may follow from it.
    data
        The input that was checked.
    model
        The model that checked it.
    source
        Name of the input file, put in front.
    """
    details = sorted(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
    start = f"{source}: " if source else ""
    return InputError(start + (_of_no_kind(details, data) or _sentence(details[0], data, model)))


def _of_no_kind(details: Sequence[ErrorDetails], data: Mapping[str, Any]) -> str:
    """Return what a value of several kinds must be, where it is of none of them; else nothing."""
    path = _path_in(data, details[0]["loc"])
    kinds = [item["type"] for item in details if _path_in(data, item["loc"]) == path]
    words = list(dict.fromkeys(KINDS[kind] for kind in kinds if kind in KINDS))
    if len(words) < 2 or not KINDS.keys() >= set(kinds):
        return ""
    value = details[0]["input"]
    shown = f"{_dotted(path)} = {value!r}" if not isinstance(value, dict | list) else _dotted(path)
    return f"{shown} must be {' or '.join(words)}."


def _sentence(detail: ErrorDetails, data: Mapping[str, Any], model: type[BaseModel]) -> str:
    path = _path_in(data, detail["loc"], keep_last=detail["type"] == "missing")
    key = _dotted(path)
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, data, model)
    if kind == "missing":
        return f"{key} is missing. Add it."
    value = detail["input"]
    shown = f"{key} = {value!r}" if not isinstance(value, dict | list) else key
    if kind == "value_error":
        text = str(context.get("error", detail["msg"]))
        section, _, last = key.rpartition(".")
        if text.startswith(last):
            return f"{section}.{text}" if section else text
        return text if text.startswith(key) else f"{shown}: {_stop(text)}"
    if kind in TABLES:
        where = f", as below {_table(path)}" if "table" in TABLES[kind] else ""
        return f"{shown} must be {TABLES[kind]}{where}."
    message = detail["msg"].replace("Input should be", "must be")
    return f"{shown} {_stop(message) if message.startswith('must') else ': ' + _stop(message)}"


def _unknown_key(path: Sequence[str | int], data: Mapping[str, Any], model: type[BaseModel]) -> str:
    known = sorted(_keys_at(model, path[:-1], data))
    section = _dotted(path[:-1])
    where = f" of [{section}]" if section else ""
    close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    remedy = f"Did you mean {close[0]!r}?" if close else f"Known keys: {', '.join(known)}."
    return f"{_dotted(path)} is not a key{where}. {remedy}"


def _path_in(
    data: Any, loc: Sequence[str | int], *, keep_last: bool = False
) -> tuple[str | int, ...]:
    """Return a pydantic location without the names of union members, which the input lacks."""
    path: list[str | int] = []
    for position, step in enumerate(loc):
        found, inner = _inside(data, step)
        if found:
            data = inner
        elif not (keep_last and position == len(loc) - 1):
            continue
        path.append(step)
    return tuple(path)


def _inside(data: Any, step: str | int) -> tuple[bool, Any]:
    if isinstance(data, dict) and step in data:
        return True, data[step]
    if isinstance(data, list) and isinstance(step, int) and step < len(data):
        return True, data[step]
    return False, None


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _stop(text: str) -> str:
    return text if text.endswith(".") else text + "."


def _keys_at(model: type[BaseModel], path: Sequence[str | int], data: Any) -> set[str]:
    """Return the keys of the models that a place in the input can mean."""
    models, groups = [model], frozenset[str]()
    for step in path:
        _, data = _inside(data, step)
        if isinstance(step, str):
            fields = [owner.model_fields[step] for owner in models if step in owner.model_fields]
            groups = frozenset(group for field in fields for group in component_groups(field))
            models = [inner for field in fields for inner in _models_of_field(field)] or models
        if groups and isinstance(data, dict):
            models = _component(data, groups) or models
    return {name for owner in models for name in owner.model_fields}


def _component(data: Mapping[str, Any], groups: frozenset[str]) -> list[type[BaseModel]]:
    """Return the class of settings that a table with ``kind`` means, where it is known."""
    try:
        return [find(str(data.get("kind", "")), *sorted(groups))]
    except InputError:
        return []


def _models_of_field(field: FieldInfo) -> list[type[BaseModel]]:
    return list(_models_in(field.annotation))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
