"""Sizes of the networks, and the named configurations."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class HarmonicSettings:
    """Sizes of :class:`~nucleate.networks.graph_network.harmonic.HarmonicNetwork`.

    Attributes
    ----------
    width : int
        Length of the state of an atom.
    channels : int
        Length of a message.
    blocks : int
        Number of message-passing blocks.
    gaussians : int
        Gaussian centres that expand a distance, evenly spaced on [0.5, 6] Å.
    neighbours : int
        Nearest neighbours of an atom that send it messages.
    r_max : float
        Å; no message comes from further away.
    elements : int
        Size of the embedding table; atomic numbers must be smaller.
    """

    width: int = 128
    channels: int = 64
    blocks: int = 3
    gaussians: int = 24
    neighbours: int = 20
    r_max: float = 8.0
    elements: int = 100


@dataclass(frozen=True, slots=True)
class MegnetSettings:
    """Sizes of a MEGNet network; the defaults are those of the paper.

    Attributes
    ----------
    gaussians : int
        Gaussian centres that expand a distance, evenly spaced on [0, r_cut + 1] Å: 100 in the
        released training script (167,761 parameters), 10 in the published checkpoint (162,001).
    gaussian_width : float
        Å; exp(-(d - centre)² / width²).
    r_cut : float
        Å; every image within it is a neighbour.
    embedding : int
        Length of the embedding of an element.
    wide, middle, narrow : int
        The (n1, n2, n3) of the paper.
    blocks : int
        Number of MEGNet blocks.
    steps : int
        Set2Set iterations.
    elements : int
        Size of the embedding table; atomic numbers must be smaller.
    """

    gaussians: int = 100
    gaussian_width: float = 0.5
    r_cut: float = 5.0
    embedding: int = 16
    wide: int = 64
    middle: int = 32
    narrow: int = 16
    blocks: int = 3
    steps: int = 3
    elements: int = 95


NetworkSettings = HarmonicSettings | MegnetSettings

KINDS: Mapping[str, type[HarmonicSettings | MegnetSettings]] = {
    "harmonic": HarmonicSettings,
    "megnet": MegnetSettings,
}
CONFIGURATIONS: Mapping[str, NetworkSettings] = {
    "harmonic": HarmonicSettings(),
    "megnet": MegnetSettings(),
    "megnet-10": MegnetSettings(gaussians=10),
}


def configuration(name: str) -> NetworkSettings:
    """Return the named network configuration.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in CONFIGURATIONS:
        raise InputError(
            f"configuration = {name!r} does not exist; choose one of {', '.join(CONFIGURATIONS)}"
        )
    return CONFIGURATIONS[name]


def settings_to_dict(settings: NetworkSettings) -> dict[str, Any]:
    """Return JSON-ready settings with their kind."""
    kind = next(name for name, cls in KINDS.items() if isinstance(settings, cls))
    return {"kind": kind, **asdict(settings)}


def settings_from_dict(data: Mapping[str, Any]) -> NetworkSettings:
    """Undo :func:`settings_to_dict`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If kind, keys or values are not those of a network.
    """
    sizes = {key: value for key, value in data.items() if key != "kind"}
    made = KINDS[data["kind"]](**sizes)
    for key, value in asdict(made).items():
        whole = isinstance(getattr(type(made)(), key), int)
        if not 0 < value < math.inf or (whole and value != int(value)):
            raise ValueError(f"its {key} is {value}")
    return made
