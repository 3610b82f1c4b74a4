"""Machine-learned potentials through their packages' ASE calculators: what they share."""

from __future__ import annotations

import hashlib
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from nucleate.energy.engine import Engine
from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.keys import Cutoff, Name
from nucleate.networks.memory import keep_freed_memory

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

    from nucleate.energy.engine import EngineContext
    from nucleate.networks.ase_model import AseModel

WEIGHT_SUFFIXES = (".model", ".pt", ".pth", ".ckpt", ".safetensors")

_LOADING_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class MlipSettings(Engine):
    """What all of them have.

    Attributes
    ----------
    module, distribution : str
        Names of the package for import and for pip.
    """

    module: ClassVar[str]
    distribution: ClassVar[str]
    warms_up: ClassVar[bool] = True

    model: Name
    cutoff: Cutoff = 6.0

    def calculator(self) -> Calculator:
        """Return the calculator of the package."""
        raise NotImplementedError

    @property
    def weights(self) -> Path:
        """File or folder of the weights, if the settings name one that exists."""
        return Path(getattr(self, "checkpoint", None) or self.model)

    def build(self, context: EngineContext) -> AseModel:
        """Return the potential as a batched model.

        Raises
        ------
        MissingDependencyError
            If the package is not installed.
        InputError
            If it cannot load the model.
        """
        from nucleate.networks.ase_model import AseModel

        del context
        model = AseModel(self.load(), self.level(), self.cutoff)
        model.elements = known_elements(model.calculator) or model.elements
        return model

    def check_present(self) -> None:
        """Look for the package, and the file of the weights if one is named; see the base."""
        spec = util.find_spec(self.module)
        if spec is None or spec.origin is None:  # a folder of that name is no package
            raise MissingDependencyError(
                f"engine.kind = {self.kind!r} needs the package {self.distribution}: pip install "
                f'"nucleate[{self.kind}]". If it cannot share an environment with the other '
                "engines, give it one of its own and add that one's interpreter to the tier: "
                'python = "/path/to/environment/bin/python".'
            )
        named = str(getattr(self, "checkpoint", None) or self.model)
        if _looks_like_path(named) and not Path(named).exists():
            raise InputError(f"engine.model: {named} does not exist. Correct the path.")

    def load(self) -> Calculator:
        """Return the calculator with its weights loaded; raises as :meth:`build`."""
        self.check_present()
        keep_freed_memory()
        try:
            return self.calculator()
        except _LOADING_ERRORS as error:
            raise InputError(
                f"engine.model = {self.model!r} cannot be loaded by {self.distribution} "
                f"({type(error).__name__}: {error}). Give the path of a model file, or a name that "
                "the package knows; a name is fetched over the network when it is used first."
            ) from error

    def level(self) -> LevelOfTheory:
        """Return the level of theory; local weights count by their content."""
        path = self.weights
        settings = self.model_dump(mode="json", exclude={"kind", "model", "device", "cutoff"})
        return LevelOfTheory(
            code=self.distribution,
            version=metadata.version(self.distribution),
            model=path.name if path.exists() else self.model,
            checkpoint=_digest(path) if path.exists() else "",
            settings=hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:12],
        )


def known_elements(calculator: Calculator) -> frozenset[int]:
    """Return the atomic numbers that a calculator says it knows; empty if it does not say."""
    from ase.data import atomic_numbers

    table = getattr(calculator, "z_table", None)
    if table is not None:
        return frozenset(int(number) for number in table.zs)
    symbols = getattr(calculator, "element_types", getattr(calculator, "element_map", ()))
    return frozenset(atomic_numbers[symbol] for symbol in symbols)


def _looks_like_path(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~")) or Path(name).suffix in WEIGHT_SUFFIXES


def _digest(path: Path) -> str:
    """Return a hash of a file, or of all files of a folder with their names."""
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256")
        if file == path:
            return content.hexdigest()[:16]
        total.update(f"{file.relative_to(path)} {content.hexdigest()}\n".encode())
    return total.hexdigest()[:16]
