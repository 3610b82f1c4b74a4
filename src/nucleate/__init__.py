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

from typing import TYPE_CHECKING

from nucleate.compiled_files import forget_outdated
from nucleate.lazy import import_on_use

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

_MODULES = {
    "BasinHopping": "nucleate.api.search",
    "Batch": "nucleate.energy.model",
    "Blocks": "nucleate.generate.kinds.blocks:BlocksSettings",
    "Candidate": "nucleate.crystal.candidate",
    "Child": "nucleate.moves.move",
    "Compared": "nucleate.api.compare",
    "Comparison": "nucleate.api.compare",
    "Component": "nucleate.plugins",
    "ComponentError": "nucleate.errors",
    "ContractError": "nucleate.errors",
    "Crystal": "nucleate.crystal.crystal",
    "DrawnSearch": "nucleate.search.drawn",
    "Engine": "nucleate.energy.engine",
    "Evaluation": "nucleate.energy.model",
    "Evolution": "nucleate.api.search",
    "FUSE_MOVES": "nucleate.moves.table:MOVES",
    "FailReason": "nucleate.relax.outcome",
    "Failed": "nucleate.relax.outcome",
    "Generator": "nucleate.generate.generator",
    "GeneratorSettings": "nucleate.generate.context",
    "InputError": "nucleate.errors",
    "LevelOfTheory": "nucleate.energy.level",
    "LowestMinima": "nucleate.api.search",
    "MissingDependencyError": "nucleate.errors",
    "Move": "nucleate.moves.move",
    "MoveSettings": "nucleate.moves.settings",
    "NucleateError": "nucleate.errors",
    "Origin": "nucleate.crystal.candidate",
    "PhaseMap": "nucleate.api.phase_map",
    "RandomSearch": "nucleate.api.search",
    "Record": "nucleate.search.record",
    "Relaxed": "nucleate.relax.outcome",
    "Run": "nucleate.api.run",
    "SearchFailedError": "nucleate.api.searching",
    "SearchProgress": "nucleate.search.search",
    "SearchSettings": "nucleate.search.settings",
    "SearchUpdate": "nucleate.search.record",
    "Stability": "nucleate.api.phonons",
    "Structures": "nucleate.api.listed",
    "Swarm": "nucleate.api.search",
    "Symmetric": "nucleate.generate.kinds.symmetric:SymmetricSettings",
    "Trial": "nucleate.search.search",
    "compare": "nucleate.api.compare",
    "generate": "nucleate.api.generate",
    "map": "nucleate.api.map:map_field",
    "open": "nucleate.api.phase_map:open_folder",
    "open_map": "nucleate.api.phase_map",
    "phonons": "nucleate.api.phonons",
    "predict": "nucleate.api.predict",
    "predict_many": "nucleate.api.many",
    "relax": "nucleate.api.relax",
}
"""Module of every public name; ``module:name`` where it has another name there."""

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

import_on_use(__name__, _MODULES)
