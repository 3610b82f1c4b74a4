"""Trained generators in safetensors files, with what is needed to use and judge them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.elements import symbols_of
from nucleate.errors import InputError
from nucleate.generate.context import OTHERS_SERVE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from nucleate.crystal.space import SearchSpace

    Arrays = Mapping[str, NDArray[Any]]

ELEMENTS = 104
"""Atomic numbers are below this."""


@dataclass(frozen=True, slots=True)
class TrainedKind:
    """What is trained.

    Attributes
    ----------
    name : str
        Of the generator and of its ``nucleate train`` command.
    what : str
        For people, such as ``flow of crystals``.
    version : int
        Of the file; others are refused.
    shipped : str
        Name of the checkpoint that comes with the package; empty where there is none.
    settings : type
        Dataclass of the sizes.
    make : callable
        Returns the network of some sizes and weights, ready to predict; raises ValueError where a
        weight is missing, not known or of another shape, and MissingDependencyError.
    """

    name: str
    what: str
    version: int
    shipped: str
    settings: type[Any]
    make: Callable[[Any, Arrays], Any]

    @property
    def remedy(self) -> str:
        """What helps where there is no file that can be used."""
        return f"train one with nucleate train {self.name}"

    @property
    def key(self) -> str:
        """Of the facts in the file."""
        return f"nucleate-{self.name}"

    @property
    def folder(self) -> Path:
        """Of the shipped checkpoints."""
        package = Path(str(files("nucleate.generate")))
        return package / self.name.replace("-", "_") / "checkpoints"

    def has(self, source: str | Path) -> bool:
        """Return whether there is a checkpoint of this name or path."""
        return (self.folder / f"{source}.safetensors").is_file() or Path(source).is_file()

    def load(self, source: str | Path) -> Trained:
        """Read a checkpoint by the name of a shipped one or by path; nothing is unpickled.

        Raises
        ------
        InputError
            If there is no such file, it is damaged or of another version, or a weight is not
            finite.
        MissingDependencyError
            If a package that it needs is not installed.
        """
        path = self.folder / f"{source}.safetensors"
        if not path.is_file():
            path = Path(source)
        if not path.is_file():
            raise InputError(f"no {self.what} at {path}; {self.remedy}")
        status = path.stat()
        return _loaded(self, path, status.st_mtime_ns, status.st_size)


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """Weights and what they were trained on.

    Attributes
    ----------
    kind : TrainedKind
        What was trained.
    settings
        Sizes of the network.
    state : mapping of str to ndarray
        Weights by name.
    elements : tuple of int
        Atomic numbers seen in the training.
    about : dict
        JSON-ready facts: data, licence, split, errors, code version.
    digest : str
        First 12 hex digits of the file's SHA-256; empty before it is saved.
    """

    kind: TrainedKind
    settings: Any
    state: Arrays
    elements: tuple[int, ...]
    about: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def network(self) -> Any:
        """Return the network, ready to predict; it is made once."""
        return _network_of(self)

    def save(self, path: str | Path) -> None:
        """Write the checkpoint; an existing file is replaced in one step."""
        from safetensors.numpy import save

        facts = {
            "version": self.kind.version,
            "settings": asdict(self.settings),
            "elements": list(self.elements),
            "about": self.about,
        }
        target = Path(path)
        part = target.with_name(target.name + ".part")
        content = save(dict(self.state), {self.kind.key: json.dumps(facts)})
        part.write_bytes(content)  # save_file would keep it from others
        part.replace(target)


@lru_cache(maxsize=4)
def _loaded(kind: TrainedKind, path: Path, changed: int, size: int) -> Trained:
    del changed, size
    facts, state = _read(kind, path)
    for name, value in state.items():
        if not bool(np.isfinite(value).all()):
            raise InputError(f"{path}: weight {name} is not finite; {kind.remedy}")
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        return _checkpoint_of(kind, json.loads(facts), state, digest)
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        what = str(error).partition("\n")[0]
        raise InputError(
            f"{path} is not a {kind.what} of this version of nucleate ({what}); {kind.remedy}"
        ) from error


def _checkpoint_of(kind: TrainedKind, data: Any, state: Arrays, digest: str) -> Trained:
    if data.get("version") != kind.version:
        raise ValueError(f"its version is {data.get('version')!r}, not {kind.version}")
    settings = kind.settings(**data["settings"])
    elements = tuple(data["elements"])
    if not elements or not all(isinstance(z, int) and 0 < z < ELEMENTS for z in elements):
        raise ValueError(f"its elements are {elements}")
    found = Trained(kind, settings, state, elements, dict(data["about"]), digest)
    found.network()  # a weight that does not fit is said now
    return found


@lru_cache(maxsize=4)
def _network_of(checkpoint: Trained) -> Any:
    return checkpoint.kind.make(checkpoint.settings, checkpoint.state)


def torch_network(make: Callable[[], Any], state: Arrays) -> Any:
    """Return a torch network with these weights, ready to predict.

    Parameters
    ----------
    make
        Returns the network.
    state
        Weights by name.

    Raises
    ------
    ValueError
        If a weight is missing, not known or of another shape.
    """
    import torch

    with torch.device("meta"):  # sizes of a damaged file would need any amount of memory
        expected = {k: tuple(v.shape) for k, v in make().state_dict().items()}
    found = {name: value.shape for name, value in state.items()}
    wrong = sorted(k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k))
    if wrong:
        raise ValueError(
            f"weight {wrong[0]} has the shape {found.get(wrong[0])}, not {expected.get(wrong[0])}"
        )
    network = make()
    network.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    return network.float().eval()


def arrays_of(state: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return tensors by name as arrays."""
    return {name: value.detach().cpu().contiguous().numpy() for name, value in state.items()}


def _read(kind: TrainedKind, path: Path) -> tuple[str, dict[str, NDArray[Any]]]:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="np") as archive:
            facts = (archive.metadata() or {}).get(kind.key)
            if facts is None:
                raise InputError(f"{path} holds no {kind.what}; {kind.remedy}")
            return facts, {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged ({error}); copy it again, or {kind.remedy}") from error
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{path} has weights of a type that cannot be read ({error}); write them as float32, "
            f"or {kind.remedy}"
        ) from error


def can_serve(
    checkpoint: Trained, space: SearchSpace, who: str, does: str, warn: Callable[[str], None]
) -> bool:
    """Return whether a generator has learned anything that a space holds.

    Parameters
    ----------
    checkpoint
        What it has learned.
    space
        What is searched.
    who, does
        The generator in words, such as ``the flow`` and ``makes``.
    warn
        Called with a sentence where the answer is no, or where larger cells are left out.
    """
    composition, most = space.composition, checkpoint.settings.most_atoms
    missing = sorted(set(composition.elements) - set(checkpoint.elements))
    if missing:
        warn(f"{who} has not seen {', '.join(symbols_of(missing))}. {OTHERS_SERVE}")
        return False
    units = space.formula_units
    if units[0] * composition.n_atoms > most:
        warn(f"{who} has seen no cell of more than {most} atoms. {OTHERS_SERVE}")
        return False
    if units[-1] * composition.n_atoms > most:
        warn(
            f"{who} {does} cells of at most {most} atoms. Larger ones are left to the other "
            "generators."
        )
    return True
