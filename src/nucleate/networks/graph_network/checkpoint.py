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
    serialised = _safetensors().save
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
    part.write_bytes(serialised(tensors, {"nucleate": json.dumps(facts)}))  # others may read it
    part.replace(target)


def load_checkpoint(source: str | Path = SHIPPED) -> Checkpoint:
    """Read a checkpoint by the name of a shipped one or by path.

    Raises
    ------
    InputError
        If there is no such file, it is damaged, it is not a checkpoint of this version of
        nucleate, or a weight is not finite.
    """
    path = _locate(source)
    facts, tensors = _read(path)
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise InputError(f"{path}: weight {name} is not finite; train again or use {SHIPPED}")
    try:
        return _checkpoint_of(
            json.loads(facts), tensors, hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        )
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise InputError(
            f"{path} is not a graph network of this version of nucleate ({what}); train one or "
            f"use {SHIPPED}"
        ) from error


def _checkpoint_of(data: Any, tensors: dict[str, Tensor], digest: str) -> Checkpoint:
    """Return a checkpoint from the facts and tensors of a file; checks that they fit together."""
    settings = settings_from_dict(data["settings"])
    expected = _shapes(settings)
    members: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        member, _, key = name.partition(".")
        members.setdefault(int(member), {})[key] = value
    if sorted(members) != list(range(len(members))) or not members:
        raise ValueError(f"its members are {sorted(members)}")
    for member, state in members.items():
        found = {key: tuple(value.shape) for key, value in state.items()}
        wrong = sorted(
            key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)
        )
        if wrong:
            raise ValueError(
                f"weight {member}.{wrong[0]} has the shape {found.get(wrong[0])}, not "
                f"{expected.get(wrong[0])}"
            )
    elements = tuple(data["elements"])
    if not all(isinstance(z, int) and 0 < z < settings.elements for z in elements):
        raise ValueError(f"its elements are {elements}")
    return Checkpoint(
        settings, tuple(members[k] for k in sorted(members)), elements, dict(data["about"]), digest
    )


def _shapes(settings: NetworkSettings) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of a network, without memory for them."""
    import torch

    with torch.device("meta"):
        network = build_network(settings)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def _read(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Return the facts and the tensors of a file."""
    access = _safetensors()
    try:
        with access.safe_open(path, framework="pt") as archive:
            facts = (archive.metadata() or {}).get("nucleate")
            if facts is None:
                raise InputError(
                    f"{path} holds no nucleate graph network; train one or use {SHIPPED}"
                )
            return facts, {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except access.error as error:
        raise InputError(
            f"{path} is damaged ({error}); copy it again, train one or use {SHIPPED}"
        ) from error


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
        raise InputError(
            f"network = '{path}': there is no such file. Give a .safetensors file of nucleate "
            f"train graph-network, or one of: {known}."
        )
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
        save = staticmethod(safetensors.torch.save)
        error = safetensors.SafetensorError

    return Access
