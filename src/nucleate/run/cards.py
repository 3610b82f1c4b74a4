"""The cards of a machine, and which of them a worker is pinned to."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALL = "all"
VISIBLE = "CUDA_VISIBLE_DEVICES"
"""Variable by which CUDA hides all cards but those that it names."""

RANKS = (
    "PARSL_WORKER_RANK",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "MPI_LOCALRANKID",
    "SLURM_LOCALID",
    "FLUX_TASK_LOCAL_ID",
)
"""Variables with the number of a process among those of its node, by the engines that set them."""

_ASK = ("nvidia-smi", "--query-gpu=index", "--format=csv,noheader")


def cards(wanted: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the cards that are meant; ``("all",)`` means those of this machine.

    Cards that a scheduler has not given to this process do not count.

    Raises
    ------
    InputError
        If all are wanted and there is none.
    """
    if tuple(wanted) != (ALL,):
        return tuple(wanted)
    given = os.environ.get(VISIBLE)
    if given is not None and given.strip() not in ("", "-1"):
        return tuple(name.strip() for name in given.split(","))
    found: list[str] = []
    if given is None:
        with suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(_ASK, capture_output=True, text=True, timeout=60, check=True)
            found = [line.strip() for line in answer.stdout.splitlines() if line.strip()]
    if not found:
        raise InputError(
            "executor.devices = 'all', and this machine has no card that nvidia-smi knows. Leave "
            "devices out, or name the cards."
        )
    return tuple(found)


def own_card(wanted: Sequence[str], environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the card of this process among those of its node; none where none is wanted.

    Processes of a node take the cards in turn, by the number that their engine gives them.
    """
    names = cards(wanted)
    if not names:
        return ()
    rank = next((environment[key] for key in RANKS if environment.get(key, "").isdigit()), None)
    return (names[(os.getpid() if rank is None else int(rank)) % len(names)],)
