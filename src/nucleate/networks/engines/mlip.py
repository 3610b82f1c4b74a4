"""Machine-learned potentials through their packages' ASE calculators, a row of a table each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.energy.level import LevelOfTheory
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.engines.ase import AseModel
from nucleate.networks.memory import keep_freed_memory
from nucleate.networks.mlip_settings import (
    GraceSettings,
    MaceSettings,
    MatglSettings,
    MattersimSettings,
    MlipSettings,
    OrbSettings,
    UpetSettings,
)
from nucleate.relax.batched import BatchedRelaxer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ase.calculators.calculator import Calculator

    from nucleate.relax.settings import TierSettings

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


@dataclass(frozen=True, slots=True)
class Package:
    """How a package makes its calculator.

    Attributes
    ----------
    module, distribution : str
        Names for import and for pip.
    build : callable
        From settings to calculator.
    """

    module: str
    distribution: str
    build: Callable[[Any], Calculator]


def build_relaxer(tier: TierSettings, pressure_gpa: float) -> BatchedRelaxer:
    """Return the relaxer of a tier whose engine is one of :data:`PACKAGES`.

    Raises
    ------
    MissingDependencyError
        If the package is not installed.
    InputError
        If it cannot load the model.
    """
    engine = tier.engine
    assert isinstance(engine, MlipSettings)
    model = AseModel(build_calculator(engine), level_of(engine), engine.cutoff)
    model.elements = known_elements(model.calculator) or model.elements
    return BatchedRelaxer(model, tier, pressure_gpa)


def build_calculator(engine: MlipSettings) -> Calculator:
    """Return the ASE calculator of an engine; raises as :func:`build_relaxer`."""
    package = PACKAGES[engine.kind]
    spec = util.find_spec(package.module)
    if spec is None or spec.origin is None:  # a folder of that name is no package
        raise MissingDependencyError(
            f"engine.kind = {engine.kind!r} needs the package {package.distribution}: pip install "
            f'"nucleate[{engine.kind}]". If it cannot share an environment with the other '
            "engines, give it one of its own and add that one's interpreter to the tier: "
            'python = "/path/to/environment/bin/python".'
        )
    named = getattr(engine, "checkpoint", None) or engine.model
    if _looks_like_path(named) and not Path(named).exists():
        raise InputError(f"engine.model: {named} is not there. Correct the path.")
    keep_freed_memory()
    try:
        return package.build(engine)
    except _LOADING_ERRORS as error:
        raise InputError(
            f"engine.model = {engine.model!r} cannot be loaded by {package.distribution} "
            f"({type(error).__name__}: {error}). Give the path of a model file, or a name that the "
            "package knows; a name is fetched over the network when it is used first."
        ) from error


def level_of(engine: MlipSettings) -> LevelOfTheory:
    """Return the level of theory of an engine; local weights count by their content."""
    distribution = PACKAGES[engine.kind].distribution
    path = Path(getattr(engine, "checkpoint", None) or engine.model)
    settings = engine.model_dump(mode="json", exclude={"kind", "model", "device", "cutoff"})
    return LevelOfTheory(
        code=distribution,
        version=metadata.version(distribution),
        model=path.name if path.exists() else engine.model,
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


def _mace(engine: MaceSettings) -> Calculator:
    from mace.calculators import MACECalculator, mace_mp

    common: dict[str, Any] = {"device": engine.device, "default_dtype": engine.dtype}
    if engine.head is not None:
        common["head"] = engine.head
    if Path(engine.model).is_file():
        return MACECalculator(model_paths=engine.model, **common)
    return mace_mp(model=engine.model, **common)


def _mattersim(engine: MattersimSettings) -> Calculator:
    from mattersim.forcefield import MatterSimCalculator

    return MatterSimCalculator(load_path=engine.model, device=engine.device)


def _orb(engine: OrbSettings) -> Calculator:
    from orb_models.forcefield import pretrained

    precision = "float64" if engine.dtype == "float64" else "float32-highest"
    arguments = {"device": engine.device, "precision": precision, "compile": False}
    if engine.checkpoint is not None:
        arguments["weights_path"] = engine.checkpoint
    loaded = pretrained.ORB_PRETRAINED_MODELS[engine.model](**arguments)
    if isinstance(loaded, tuple):  # orb-models 0.6 and later
        from orb_models.forcefield.inference.calculator import ORBCalculator

        return ORBCalculator(*loaded, device=engine.device)
    from orb_models.forcefield.calculator import ORBCalculator

    return ORBCalculator(loaded, device=engine.device)


def _matgl(engine: MatglSettings) -> Calculator:
    import matgl
    from matgl.ext.ase import PESCalculator

    return PESCalculator(matgl.load_model(engine.model), stress_unit="eV/A3")


def _upet(engine: UpetSettings) -> Calculator:
    import torch
    from upet.ase import UPETCalculator

    common = {"dtype": getattr(torch, engine.dtype), "device": engine.device}
    if Path(engine.model).is_file():
        return UPETCalculator(checkpoint_path=engine.model, **common)
    return UPETCalculator(model=engine.model, version=engine.version, **common)


def _grace(engine: GraceSettings) -> Calculator:
    from tensorpotential.calculator import TPCalculator, grace_fm

    if Path(engine.model).exists():
        return TPCalculator(model=engine.model)
    return grace_fm(engine.model)


PACKAGES = {
    "mace": Package("mace", "mace-torch", _mace),
    "mattersim": Package("mattersim", "mattersim", _mattersim),
    "orb": Package("orb_models", "orb-models", _orb),
    "matgl": Package("matgl", "matgl", _matgl),
    "upet": Package("upet", "upet", _upet),
    "grace": Package("tensorpotential", "tensorpotential", _grace),
}
"""Package of each kind of engine."""


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
