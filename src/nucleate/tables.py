"""The tables of an input: what every one of them refuses."""

from __future__ import annotations

from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator


class Table(BaseModel):
    """A table of an input: unknown keys, and truth values in place of numbers, are refused.

    To Python ``true`` is the number 1; in an input it is a mistake.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields.get(info.field_name or "")
        if field is None or not _holds_truth_value(value):
            return value
        kinds = {kind for kind in _kinds_of(field.annotation) if not _is_other(kind, value)}
        if kinds & {int, float} and kinds <= NUMBERS_AND_TEXT:
            raise ValueError("give a number, not true or false")
        return value


NUMBERS_AND_TEXT = {int, float, str, type(None)}


def _is_other(kind: Any, value: Any) -> bool:
    """Return whether a kind is a model that a table cannot be, by its keys."""
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return is_model and isinstance(value, dict) and not value.keys() <= kind.model_fields.keys()


def _holds_truth_value(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_truth_value, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_truth_value, value))
    return isinstance(value, bool)


def _kinds_of(annotation: Any) -> list[Any]:
    """Return the plain types of an annotation: those in unions, lists and values of tables."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _kinds_of(arguments[0])
    if not arguments:
        return [type(annotation) if isinstance(annotation, str | int) else annotation]
    return [kind for argument in arguments if argument is not ... for kind in _kinds_of(argument)]
