"""Truth values in place of numbers are refused wherever an input has a number."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from nucleate.tables import Table


class Inner(Table):
    on: bool = False


class Made(Table):
    whole: int = 1
    number: float | None = None
    limited: Annotated[float, Field(gt=0.0)] = 1.0
    pair: tuple[float, float] = (0.0, 1.0)
    weights: dict[str, float | list[int]] = Field(default_factory=dict)
    either: str | dict[str, float] | Inner = ""
    switch: bool = False
    anything: Any = None
    text: int | bool = 0


@pytest.mark.parametrize(
    "data",
    [
        {"whole": True},
        {"number": False},
        {"limited": True},
        {"pair": [0.0, True]},
        {"weights": {"a": True}},
        {"weights": {"a": [1, True]}},
        {"either": {"a": True}},
    ],
)
def test_a_truth_value_is_no_number(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give a number, not true or false"):
        Made.model_validate(data)


@pytest.mark.parametrize(
    "data",
    [
        {"switch": True},
        {"anything": True},
        {"text": True},
        {"either": {"on": True}},
        {"whole": 1, "number": 1, "pair": [0, 1], "weights": {"a": [1, 2]}, "either": {"a": 1}},
    ],
)
def test_everything_else_is_taken(data: dict[str, Any]) -> None:
    found = Made.model_validate(data)
    assert isinstance(found, BaseModel)
    assert Made.model_validate(found.model_dump()) == found
