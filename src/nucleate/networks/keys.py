"""Keys that the settings of several networks share, checked when the input is read."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

_DEVICE = re.compile(r"cpu|mps|(cuda|xpu)(:\d+)?")


def _device(value: str) -> str:
    if not _DEVICE.fullmatch(value):
        raise ValueError("not a device of torch; choose cpu, or cuda:0 for the first GPU")
    return value


def _name(value: str) -> str:
    if not value.strip():  # as a path it would be the current folder
        raise ValueError("empty; give a name or a path, or leave the key out")
    return value


Device = Annotated[
    str,
    AfterValidator(_device),
    Field(description="A device of torch, such as cpu or cuda:0."),
]
"""A device by the name that torch has for it."""

Cutoff = Annotated[
    float,
    Field(gt=0.0, le=100.0, description="Å; an atom without a neighbour within it is refused."),
]
"""Distance in Å beyond which atoms do not notice each other."""

Name = Annotated[str, AfterValidator(_name)]
"""Name or path of a model."""
