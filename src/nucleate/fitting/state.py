"""The state of a training in one file: weights, moments of the optimiser and facts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch.nn import Module
    from torch.optim import Optimizer

    Groups = dict[str, dict[str, torch.Tensor]]


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
    """Put weights, moments and the number of steps back."""
    network.load_state_dict(groups["network"])
    own = optimiser.param_groups[0]
    beside = own.get("capturable") or own.get("fused")  # else steps are counted on the processor
    for name, parameter in network.named_parameters():
        if name in groups.get("first", {}):
            optimiser.state[parameter] = {
                "step": torch.tensor(float(step), device=parameter.device if beside else "cpu"),
                "exp_avg": groups["first"][name],
                "exp_avg_sq": groups["second"][name],
            }
