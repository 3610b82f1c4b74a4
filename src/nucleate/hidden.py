"""Values of environment variables stay out of pages, exports and messages."""

from __future__ import annotations

import re
from typing import Any

HIDDEN = "(hidden)"

_SECRET = re.compile(r"key|token|secret|passw|credential|auth|license", re.IGNORECASE)


def without_values(data: Any) -> Any:
    """Return settings in which the values of every ``environment`` are hidden."""
    return _hidden(data, every=True)


def without_secrets(data: Any) -> Any:
    """Return settings in which those values of an ``environment`` are hidden that look secret."""
    return _hidden(data, every=False)


def is_secret(name: str) -> bool:
    """Return whether a variable's name says that its value is a secret."""
    return _SECRET.search(name) is not None


def _hidden(data: Any, *, every: bool) -> Any:
    if isinstance(data, list | tuple):
        return [_hidden(item, every=every) for item in data]
    if not isinstance(data, dict):
        return data
    found = {}
    for key, value in data.items():
        if key == "environment" and isinstance(value, dict):
            found[key] = {
                name: HIDDEN if every or is_secret(name) else text for name, text in value.items()
            }
        else:
            found[key] = _hidden(value, every=every)
    return found
