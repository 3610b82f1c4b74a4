"""The trained language in a safetensors file, with what is needed to use and judge it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError, MissingDependencyError
from nucleate.generate.wyckoff_language.settings import ELEMENTS, LanguageSettings

if TYPE_CHECKING:
    from torch import Tensor

    from nucleate.generate.wyckoff_language.network import LanguageNetwork

SHIPPED = "mp"
VERSION = 1
_KEY = "nucleate-wyckoff-language"
_REMEDY = "train one with nucleate train wyckoff-language"
_NEEDED = "the language of Wyckoff positions needs torch and safetensors: pip install"


@dataclass(frozen=True, slots=True, eq=False)
class LanguageCheckpoint:
    """Weights and what they were trained on.

    Attributes
    ----------
    settings : LanguageSettings
        Sizes of the network.
    state : dict
        Weights by name.
    elements : tuple of int
        Atomic numbers seen in the training.
    about : dict
        JSON-ready facts: data, licence, split, likelihoods, code version.
    digest : str
        First 12 hex digits of the file's SHA-256; empty before it is saved.
    """

    settings: LanguageSettings
    state: dict[str, Tensor]
    elements: tuple[int, ...]
    about: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def network(self) -> LanguageNetwork:
        """Return the network, ready to predict."""
        from nucleate.generate.wyckoff_language.network import LanguageNetwork

        network = LanguageNetwork(self.settings)
        network.load_state_dict({name: value.float() for name, value in self.state.items()})
        return network.eval()


def save_language(path: str | Path, checkpoint: LanguageCheckpoint) -> None:
    """Write a checkpoint; an existing file is replaced in one step."""
    _needs_torch()
    from safetensors.torch import save_file

    tensors = {k: v.detach().cpu().contiguous() for k, v in checkpoint.state.items()}
    facts = {
        "version": VERSION,
        "settings": asdict(checkpoint.settings),
        "elements": list(checkpoint.elements),
        "about": checkpoint.about,
    }
    target = Path(path)
    part = target.with_name(target.name + ".part")
    save_file(tensors, part, metadata={_KEY: json.dumps(facts)})
    part.replace(target)


def load_language(source: str | Path = SHIPPED) -> LanguageCheckpoint:
    """Read a checkpoint by the name of the shipped one or by path; nothing is unpickled.

    Raises
    ------
    InputError
        If there is no such file, it is damaged or of another version, or a weight is not finite.
    MissingDependencyError
        If torch or safetensors are not installed.
    """
    path = _locate(source)
    status = path.stat()
    return _loaded(path, status.st_mtime_ns, status.st_size)


def has_language(source: str | Path = SHIPPED) -> bool:
    """Return whether there is a checkpoint of this name or path."""
    return (_folder() / f"{source}.safetensors").is_file() or Path(source).is_file()


@lru_cache(maxsize=2)
def _loaded(path: Path, changed: int, size: int) -> LanguageCheckpoint:
    del changed, size
    facts, tensors = _read(path)
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise InputError(f"{path}: weight {name} is not finite; {_REMEDY}")
    try:
        return _checkpoint_of(
            json.loads(facts), tensors, hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        )
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
        what = str(error).partition("\n")[0]
        raise InputError(
            f"{path} is not a language of this version of nucleate ({what}); {_REMEDY}"
        ) from error


def _checkpoint_of(data: Any, tensors: dict[str, Tensor], digest: str) -> LanguageCheckpoint:
    import torch

    from nucleate.generate.wyckoff_language.network import LanguageNetwork

    if data.get("version") != VERSION:
        raise ValueError(f"its version is {data.get('version')!r}, not {VERSION}")
    settings = LanguageSettings(**data["settings"])
    with torch.device("meta"):
        expected = {k: tuple(v.shape) for k, v in LanguageNetwork(settings).state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = sorted(k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k))
    if wrong:
        raise ValueError(
            f"weight {wrong[0]} has the shape {found.get(wrong[0])}, not {expected.get(wrong[0])}"
        )
    elements = tuple(data["elements"])
    if not elements or not all(isinstance(z, int) and 0 < z < ELEMENTS for z in elements):
        raise ValueError(f"its elements are {elements}")
    return LanguageCheckpoint(settings, tensors, elements, dict(data["about"]), digest)


def _read(path: Path) -> tuple[str, dict[str, Tensor]]:
    _needs_torch()
    import safetensors

    try:
        with safetensors.safe_open(path, framework="pt") as archive:
            facts = (archive.metadata() or {}).get(_KEY)
            if facts is None:
                raise InputError(f"{path} holds no language of Wyckoff positions; {_REMEDY}")
            return facts, {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise InputError(f"{path} is damaged ({error}); copy it again, or {_REMEDY}") from error


def _locate(source: str | Path) -> Path:
    inside = _folder() / f"{source}.safetensors"
    if inside.is_file():
        return inside
    path = Path(source)
    if not path.is_file():
        raise InputError(f"no language of Wyckoff positions at {path}; {_REMEDY}")
    return path


def _folder() -> Path:
    return Path(str(files("nucleate.generate"))) / "wyckoff_language" / "checkpoints"


def _needs_torch() -> None:
    try:
        import safetensors.torch  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(f"{_NEEDED} 'nucleate[train]'") from error
