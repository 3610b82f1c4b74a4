"""Weights of networks in safetensors files, with what is needed to use and judge them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.graph_network.settings import (
    HarmonicSettings,
    settings_from_dict,
    settings_to_dict,
)
from nucleate.reading import guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from nucleate.networks.graph_network.settings import NetworkSettings

SHIPPED = "mp2018-harmonic"


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The members of an ensemble and what they were trained on.

    Attributes
    ----------
    settings : HarmonicSettings or MegnetSettings
        Sizes of each member.
    members : tuple of dict
        State of each network.
    elements : tuple of int
        Atomic numbers seen in training.
    about : dict
        JSON-ready facts of the training: data, split, errors, code version.
    digest : str
        First 12 hex digits of the file's SHA-256; empty before it is saved.
    """

    settings: NetworkSettings
    members: tuple[dict[str, Tensor], ...]
    elements: tuple[int, ...]
    about: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def networks(self) -> list[nn.Module]:
        """Return the members as networks ready to predict."""
        networks = []
        for state in self.members:
            network = build_network(self.settings)
            network.load_state_dict(state)
            networks.append(network.eval())
        return networks


def build_network(settings: NetworkSettings) -> nn.Module:
    """Return a network with new weights (drawn from torch's global generator)."""
    if isinstance(settings, HarmonicSettings):
        from nucleate.networks.graph_network.harmonic import HarmonicNetwork

        return HarmonicNetwork(settings)
    from nucleate.networks.graph_network.megnet import MegnetNetwork

    return MegnetNetwork(settings)


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; an existing file is replaced in one step."""
    save_tensors = _safetensors().save_file
    tensors = {
        f"{member}.{name}": value.detach().cpu().contiguous()
        for member, state in enumerate(checkpoint.members)
        for name, value in state.items()
    }
    facts = {
        "settings": settings_to_dict(checkpoint.settings),
        "elements": list(checkpoint.elements),
        "about": checkpoint.about,
    }
    target = Path(path)
    part = target.with_name(target.name + ".part")
    save_tensors(tensors, part, metadata={"nucleate": json.dumps(facts)})
    part.replace(target)


def load_checkpoint(source: str | Path = SHIPPED) -> Checkpoint:
    """Read a checkpoint by the name of a shipped one or by path.

    Raises
    ------
    InputError
        If there is no such file, or it is not a checkpoint of nucleate.
    """
    path = _locate(source)
    with guarded(f"the graph network {path}", "Copy or train it again."):
        return _read_checkpoint(path)


def _read_checkpoint(path: Path) -> Checkpoint:
    with _safetensors().safe_open(path, framework="pt") as archive:
        facts = (archive.metadata() or {}).get("nucleate")
        if facts is None:
            raise InputError(f"{path} holds no nucleate graph network; train one or use {SHIPPED}")
        tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    data = json.loads(facts)
    members: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        member, key = name.split(".", 1)
        members.setdefault(int(member), {})[key] = value
    return Checkpoint(
        settings=settings_from_dict(data["settings"]),
        members=tuple(members[number] for number in sorted(members)),
        elements=tuple(data["elements"]),
        about=data["about"],
        digest=hashlib.sha256(path.read_bytes()).hexdigest()[:12],
    )


def shipped_checkpoints() -> Sequence[str]:
    """Return the names of the checkpoints that come with the package."""
    return sorted(path.stem for path in _folder().glob("*.safetensors"))


def _locate(source: str | Path) -> Path:
    inside = _folder() / f"{source}.safetensors"
    if inside.is_file():
        return inside
    path = Path(source)
    if not path.is_file():
        known = ", ".join(shipped_checkpoints())
        raise InputError(f"no graph network at {path}; give a .safetensors file or one of: {known}")
    return path


def _folder() -> Path:
    return Path(str(files("nucleate.networks.graph_network"))) / "checkpoints"


def _safetensors() -> Any:
    try:
        import safetensors
        import safetensors.torch
    except ImportError as error:
        raise MissingDependencyError(
            "graph networks need torch and safetensors: pip install 'nucleate[train]'"
        ) from error

    class Access:
        safe_open = staticmethod(safetensors.safe_open)
        save_file = staticmethod(safetensors.torch.save_file)

    return Access
