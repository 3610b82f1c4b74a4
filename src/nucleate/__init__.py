"""Crystal structure prediction of inorganic compositions.

Ten lines to begin with::

    import nucleate as nc

    run = nc.predict("SrTiO3", max_atoms=10, time="1m")
    run.structures  # a table, best first
    atoms = run.best.to_ase()  # with energy, forces and stress
    relaxed = nc.relax(atoms, model="chgnet", pressure_gpa=5)
    pool = nc.generate("Ca3Ti2O7", "symmetric", n=100, seed=1)
    run.export("out")
    field = nc.map("Sr-Ti-O", time="30m")  # many compositions and their convex hull

Names are imported on first use, so that ``import nucleate`` is fast.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nucleate.compiled_files import forget_outdated

if TYPE_CHECKING:
    from nucleate.api import (
        BasinHopping,
        Candidate,
        Compared,
        Comparison,
        Crystal,
        Evolution,
        Failed,
        FailReason,
        InputError,
        LowestMinima,
        MissingDependencyError,
        NucleateError,
        Origin,
        PhaseMap,
        RandomSearch,
        Relaxed,
        Run,
        SearchFailedError,
        Stability,
        Structures,
        Swarm,
        compare,
        generate,
        open,  # noqa: A004
        open_map,
        phonons,
        predict,
        predict_many,
        relax,
    )
    from nucleate.api.map import map_field as map  # noqa: A004
    from nucleate.energy.engine import Engine
    from nucleate.energy.level import LevelOfTheory
    from nucleate.energy.model import Batch, Evaluation
    from nucleate.errors import ComponentError, ContractError
    from nucleate.generate.context import GeneratorSettings
    from nucleate.generate.generator import Generator
    from nucleate.generate.kinds.blocks import BlocksSettings as Blocks
    from nucleate.generate.kinds.symmetric import SymmetricSettings as Symmetric
    from nucleate.moves.move import Child, Move
    from nucleate.moves.settings import MoveSettings
    from nucleate.moves.table import MOVES as FUSE_MOVES
    from nucleate.plugins import Component
    from nucleate.search.drawn import DrawnSearch
    from nucleate.search.record import Record, SearchUpdate
    from nucleate.search.search import SearchProgress, Trial
    from nucleate.search.settings import SearchSettings

__version__ = "0.1.0"

forget_outdated(__path__[0])

_LAZY = {
    "BasinHopping": "nucleate.api",
    "Batch": "nucleate.energy.model",
    "Blocks": "nucleate.generate.kinds.blocks:BlocksSettings",
    "Candidate": "nucleate.crystal.candidate",
    "Child": "nucleate.moves.move",
    "Compared": "nucleate.api",
    "Comparison": "nucleate.api",
    "Component": "nucleate.plugins",
    "ComponentError": "nucleate.errors",
    "ContractError": "nucleate.errors",
    "Crystal": "nucleate.crystal.crystal",
    "DrawnSearch": "nucleate.search.drawn",
    "Engine": "nucleate.energy.engine",
    "Evaluation": "nucleate.energy.model",
    "Evolution": "nucleate.api",
    "FUSE_MOVES": "nucleate.moves.table:MOVES",
    "FailReason": "nucleate.relax.outcome",
    "Failed": "nucleate.relax.outcome",
    "Generator": "nucleate.generate.generator",
    "GeneratorSettings": "nucleate.generate.context",
    "InputError": "nucleate.errors",
    "LevelOfTheory": "nucleate.energy.level",
    "LowestMinima": "nucleate.api",
    "MissingDependencyError": "nucleate.errors",
    "Move": "nucleate.moves.move",
    "MoveSettings": "nucleate.moves.settings",
    "NucleateError": "nucleate.errors",
    "Origin": "nucleate.crystal.candidate",
    "RandomSearch": "nucleate.api",
    "Record": "nucleate.search.record",
    "Relaxed": "nucleate.relax.outcome",
    "Run": "nucleate.api",
    "SearchFailedError": "nucleate.api",
    "SearchProgress": "nucleate.search.search",
    "SearchSettings": "nucleate.search.settings",
    "SearchUpdate": "nucleate.search.record",
    "Stability": "nucleate.api",
    "Structures": "nucleate.api",
    "Swarm": "nucleate.api",
    "Symmetric": "nucleate.generate.kinds.symmetric:SymmetricSettings",
    "Trial": "nucleate.search.search",
    "PhaseMap": "nucleate.api",
    "compare": "nucleate.api",
    "map": "nucleate.api:map_field",
    "open": "nucleate.api",
    "open_map": "nucleate.api",
    "predict": "nucleate.api",
    "predict_many": "nucleate.api",
}
"""Module of every public name; ``module:name`` where it has another name there."""

_ALSO_ROOMS = ("generate", "phonons", "relax")
"""Functions with the name of one of our packages; as attributes of this one they are functions."""

__all__ = [
    "FUSE_MOVES",
    "BasinHopping",
    "Batch",
    "Blocks",
    "Candidate",
    "Child",
    "Compared",
    "Comparison",
    "Component",
    "ComponentError",
    "ContractError",
    "Crystal",
    "DrawnSearch",
    "Engine",
    "Evaluation",
    "Evolution",
    "FailReason",
    "Failed",
    "Generator",
    "GeneratorSettings",
    "InputError",
    "LevelOfTheory",
    "LowestMinima",
    "MissingDependencyError",
    "Move",
    "MoveSettings",
    "NucleateError",
    "Origin",
    "PhaseMap",
    "RandomSearch",
    "Record",
    "Relaxed",
    "Run",
    "SearchFailedError",
    "SearchProgress",
    "SearchSettings",
    "SearchUpdate",
    "Stability",
    "Structures",
    "Swarm",
    "Symmetric",
    "Trial",
    "__version__",
    "compare",
    "generate",
    "map",
    "open",
    "open_map",
    "phonons",
    "predict",
    "predict_many",
    "relax",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'nucleate' has no attribute {name!r}")
    module, _, attribute = _LAZY[name].partition(":")
    return getattr(import_module(module), attribute or name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_ALSO_ROOMS, *_LAZY})


class _Function:
    """A function of the face, which stays when the import system sets its room under its name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, package: ModuleType | None, owner: type) -> Any:
        return getattr(import_module("nucleate.api"), self._name)

    def __set__(self, package: ModuleType, room: ModuleType) -> None:
        """Leave the function where it is; the room is found in ``sys.modules``."""


class _Package(ModuleType):
    generate = _Function()
    phonons = _Function()
    relax = _Function()


sys.modules[__name__].__class__ = _Package
