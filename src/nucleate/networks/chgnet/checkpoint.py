"""Read the checkpoints inside the ``chgnet`` package without importing it or torch."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MODELS = ("0.3.0", "r2scan", "0.2.0")
_AGAIN = "Install it again: pip install --force-reinstall chgnet==0.4.2"
_DAMAGE = (
    AttributeError,
    EOFError,
    LookupError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    zlib.error,
)
_DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "LongStorage": "<i8", "IntStorage": "<i4"}


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Weights of one CHGNet model.

    Attributes
    ----------
    model : str
        ``0.3.0``, ``r2scan`` or ``0.2.0``.
    package_version : str
        Version of the ``chgnet`` package that carries it.
    sha256 : str
        First 16 digits of the file's hash.
    arguments : dict
        Arguments of the network (cut-offs in Å, numbers of layers and basis functions).
    weights : dict of ndarray of float32
        Parameters under the names of the package's modules.
    """

    model: str
    package_version: str
    sha256: str
    arguments: Mapping[str, Any]
    weights: Mapping[str, NDArray[np.float32]]


def load_checkpoint(model: str = "0.3.0") -> Checkpoint:
    """Return a checkpoint that the installed ``chgnet`` package carries.

    Raises
    ------
    InputError
        If there is no model of this name, its file is damaged, or a weight is not finite.
    MissingDependencyError
        If ``chgnet`` is not installed or does not hold the checkpoint.
    """
    if model not in MODELS:
        raise InputError(f"engine.model = {model!r} is not a CHGNet model; use one of {MODELS}.")
    path = checkpoint_path(model)
    state = _model_of(path)
    for name, weight in state["state_dict"].items():
        if not np.isfinite(weight).all():
            raise InputError(f"{path}: weight {name} is not finite. {_AGAIN}.")
    return Checkpoint(
        model=model,
        package_version=metadata.version("chgnet"),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        arguments=state["model_args"],
        weights=state["state_dict"],
    )


def _model_of(path: Path) -> Mapping[str, Any]:
    """Return arguments and weights in a file; raises InputError where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            state = _TorchUnpickler.read(archive)["model"]
        return {key: {**state[key]} for key in ("model_args", "state_dict")}
    except (*_DAMAGE, OSError) as error:
        what = f"{type(error).__name__}: {error}"
        raise InputError(f"{path} is not a checkpoint of CHGNet ({what}). {_AGAIN}.") from error


def checkpoint_path(model: str) -> Path:
    """Return the file of the weights; raises MissingDependencyError without the package."""
    spec = util.find_spec("chgnet")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    for folder in folders:
        for path in sorted((Path(folder) / "pretrained" / model).glob("*.pth.tar")):
            return path
    raise MissingDependencyError(
        f"the weights of CHGNet {model} come with the package chgnet: "
        'pip install "nucleate[chgnet]".'
    )


class _TorchUnpickler(pickle.Unpickler):
    """Read a file of ``torch.save`` as numpy arrays; nothing but plain data is ever built."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(file)
        self._archive = archive
        self._prefix = prefix

    @classmethod
    def read(cls, archive: zipfile.ZipFile) -> Any:
        names = [item for item in archive.namelist() if item.endswith("/data.pkl")]
        if not names:
            raise ValueError("it holds no data.pkl")
        (name,) = names
        with archive.open(name) as file:
            return cls(file, archive, name.removesuffix("data.pkl")).load()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _strided_array
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda data, *_: data
        if module in ("torch", "torch.storage") and name in _DTYPES:
            return _DTYPES[name]
        return _Ignored

    def persistent_load(self, pid: tuple[Any, ...]) -> Any:
        _, dtype, key, *_ = pid
        if not isinstance(dtype, str):
            return _Ignored()
        return np.frombuffer(self._archive.read(f"{self._prefix}data/{key}"), dtype=dtype)


class _Ignored:
    """Stands for an object of the training run that inference does not need."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


def _strided_array(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> NDArray[Any]:
    if not isinstance(storage, np.ndarray):
        return np.empty(0)
    view = np.lib.stride_tricks.as_strided(
        storage[offset:], shape, tuple(step * storage.itemsize for step in stride)
    )
    return np.ascontiguousarray(view)
