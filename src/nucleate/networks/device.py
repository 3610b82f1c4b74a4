"""Devices of torch, checked before a model is loaded."""

from __future__ import annotations

import re

from nucleate.errors import InputError


def check_device(device: str) -> None:
    """Raise InputError unless a device is ``cpu`` or a GPU that torch sees, such as ``cuda:0``."""
    if device == "cpu":
        return
    import torch

    match = re.fullmatch(r"cuda(?::(\d+))?", device)
    if match is None:
        raise InputError(f"device = {device!r} is not a device; choose cpu or cuda")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise InputError(
            f"device = {device!r}: torch sees no GPU here; use cpu, or install torch with CUDA"
        )
    if int(match[1] or 0) >= count:
        raise InputError(f"device = {device!r}: the last GPU that torch sees is cuda:{count - 1}")
