"""The learning rate of a training."""

from __future__ import annotations

from nucleate.errors import InputError


def check_rate(learning_rate: float) -> None:
    """Raise InputError unless AdamW can have this learning rate."""
    if not 0.0 < learning_rate < 1.0:
        raise InputError(
            f"learning_rate = {learning_rate:g} is no rate of AdamW. Give a number between 0 and "
            "1, such as 0.001."
        )
