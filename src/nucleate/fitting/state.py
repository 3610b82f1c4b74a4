"""The state of a training in one file: weights, moments of the optimiser and facts."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sized
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile

import numpy as np
import torch

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch.nn import Module
    from torch.optim import Optimizer

    Groups = dict[str, dict[str, torch.Tensor]]

Arrays = TypeVar("Arrays", bound=Sized)


def digest_of(corpus: Any) -> str:
    """Return a digest of the arrays of a dataclass: the same for the same training data."""
    digest = hashlib.sha256()
    for field in fields(corpus):
        array = np.ascontiguousarray(getattr(corpus, field.name))
        digest.update(f"{field.name} {array.dtype} {array.shape} ".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def check_out(out: Path) -> None:
    """Check that a training can have this folder, without creating it.

    A training creates it once the data have proved useful, so that refused ones leave nothing.

    Raises
    ------
    InputError
        If it is a file, or cannot be created.
    """
    reason = ""
    try:
        nearest = next(path for path in (out, *out.absolute().parents) if path.exists())
        if not nearest.is_dir():
            reason = f"{nearest} is a file"
        elif not os.access(nearest, os.W_OK | os.X_OK):
            reason = f"{nearest} cannot be written"
    except OSError as error:
        reason = str(error.strerror)
    if reason:
        raise InputError(f"--out {out} cannot be a folder ({reason}). Give another one.")


def folder_of(out: Path) -> Path:
    """Return the folder of a training, created if necessary.

    Raises
    ------
    InputError
        If it is a file, or cannot be created.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"--out {out} cannot be a folder ({error.strerror}). Give another one."
        ) from error
    return out


def sizes_of(make: Callable[[], Any]) -> Any:
    """Return the sizes of a network; raises InputError where they make none."""
    try:
        return make()
    except ValueError as error:
        raise InputError(f"{error}. Give another size.") from error


def kept_arrays(path: Path, kind: type[Arrays], make: Callable[[], Arrays]) -> Arrays:
    """Return a dataclass of arrays that was written before, or make and write it.

    A damaged file is made again.

    Parameters
    ----------
    path
        An ``.npz``; it and its folder are made once there is something to keep.
    kind
        The dataclass.
    make
        Returns one.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    errors = (OSError, EOFError, ValueError, LookupError, BadZipFile)
    with suppress(*errors), np.load(path, allow_pickle=False) as arrays:
        return kind(**{name: arrays[name] for name in names})
    made = make()
    if not len(made):
        return made
    folder_of(path.parent)
    part = path.with_suffix(".part.npz")
    np.savez(part, **{name: getattr(made, name) for name in names})
    part.replace(path)
    return made


def write_state(
    path: Path,
    network: Module,
    optimiser: Optimizer,
    others: Mapping[str, Mapping[str, torch.Tensor]],
    facts: Mapping[str, Any],
) -> None:
    """Write the state of a training as safetensors, replaced in one step.

    Parameters
    ----------
    path
        The file.
    network, optimiser
        Their weights, and first and second moments, are written.
    others
        Further weights by their name, such as running means.
    facts
        JSON-ready values.
    """
    from safetensors.torch import save_file

    groups: dict[str, Mapping[str, torch.Tensor]] = {"network": network.state_dict(), **others}
    states = {
        name: optimiser.state[parameter]
        for name, parameter in network.named_parameters()
        if optimiser.state.get(parameter)
    }
    groups["first"] = {name: state["exp_avg"] for name, state in states.items()}
    groups["second"] = {name: state["exp_avg_sq"] for name, state in states.items()}
    # AdamW counts for each weight the steps in which it had a gradient.
    groups["steps"] = {name: torch.as_tensor(state["step"]) for name, state in states.items()}
    tensors = {
        f"{group}.{key}": value.contiguous()
        for group, values in groups.items()
        for key, value in values.items()
    }
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata={"nucleate": json.dumps(facts)})
    part.replace(path)


def read_state(path: Path, device: str) -> tuple[Groups, dict[str, Any]]:
    """Return the weights and moments by group, and the facts, of :func:`write_state`.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    groups: Groups = {}
    try:
        with safe_open(path, framework="pt", device=device) as archive:
            facts = json.loads(archive.metadata()["nucleate"])
            for name in archive.keys():  # noqa: SIM118
                group, key = name.split(".", 1)
                groups.setdefault(group, {})[key] = archive.get_tensor(name)
    except (SafetensorError, OSError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is damaged ({error}); delete it to begin again, or choose another --out"
        ) from error
    return groups, facts


def restore(network: Module, optimiser: Optimizer, groups: Groups, step: int) -> None:
    """Put weights, moments and the number of steps of each weight back.

    ``step`` is that of all weights in files which do not have their own.
    """
    network.load_state_dict(groups["network"])
    own = optimiser.param_groups[0]
    beside = own.get("capturable") or own.get("fused")  # else steps are counted on the processor
    for name, parameter in network.named_parameters():
        if name in groups.get("first", {}):
            own_step = float(groups.get("steps", {}).get(name, step))
            optimiser.state[parameter] = {
                "step": torch.tensor(own_step, device=parameter.device if beside else "cpu"),
                "exp_avg": groups["first"][name],
                "exp_avg_sq": groups["second"][name],
            }
