"""The face of nucleate: predict, relax, generate, open, and what they take and return.

The main names are also in :mod:`nucleate` itself. What has a command of its own is in a module
here: :mod:`~nucleate.api.benchmark`, :mod:`~nucleate.api.library`, :mod:`~nucleate.api.plugins`,
:mod:`~nucleate.api.policy`, :mod:`~nucleate.api.potentials`, :mod:`~nucleate.api.prove`,
:mod:`~nucleate.api.surrogate` and :mod:`~nucleate.api.train`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import import_on_use

if TYPE_CHECKING:
    from nucleate.api.check import check
    from nucleate.api.compare import Compared, Comparison, compare
    from nucleate.api.final import polish
    from nucleate.api.generate import generate, generate_pool
    from nucleate.api.holding import holds_many, holds_map, holds_run
    from nucleate.api.listed import Structures
    from nucleate.api.many import Runs, open_many, predict_many
    from nucleate.api.map import map_field
    from nucleate.api.map_further import refine_near
    from nucleate.api.map_jobs import import_near
    from nucleate.api.merge import merge
    from nucleate.api.phase_map import PhaseMap, open_map
    from nucleate.api.phase_map import open_folder as open  # noqa: A004
    from nucleate.api.phonons import Stability, phonons
    from nucleate.api.predict import predict
    from nucleate.api.refine import export_jobs, refine
    from nucleate.api.relax import Series, relax, relax_files
    from nucleate.api.run import Run, checked_order, export, status_of
    from nucleate.api.search import BasinHopping, Evolution, LowestMinima, RandomSearch, Swarm
    from nucleate.api.searching import SearchFailedError
    from nucleate.crystal.candidate import Candidate, Origin
    from nucleate.crystal.crystal import Crystal
    from nucleate.errors import InputError, MissingDependencyError, NucleateError
    from nucleate.relax.outcome import Failed, FailReason, Relaxed
    from nucleate.report.watch import watched
    from nucleate.run.hand_back import import_results
    from nucleate.run.refinement import RefinementSummary

_MODULES = {
    "BasinHopping": "nucleate.api.search",
    "Candidate": "nucleate.crystal.candidate",
    "Compared": "nucleate.api.compare",
    "Comparison": "nucleate.api.compare",
    "Crystal": "nucleate.crystal.crystal",
    "Evolution": "nucleate.api.search",
    "FailReason": "nucleate.relax.outcome",
    "Failed": "nucleate.relax.outcome",
    "InputError": "nucleate.errors",
    "LowestMinima": "nucleate.api.search",
    "MissingDependencyError": "nucleate.errors",
    "NucleateError": "nucleate.errors",
    "Origin": "nucleate.crystal.candidate",
    "PhaseMap": "nucleate.api.phase_map",
    "RandomSearch": "nucleate.api.search",
    "RefinementSummary": "nucleate.run.refinement",
    "Relaxed": "nucleate.relax.outcome",
    "Run": "nucleate.api.run",
    "Runs": "nucleate.api.many",
    "SearchFailedError": "nucleate.api.searching",
    "Series": "nucleate.api.relax",
    "Stability": "nucleate.api.phonons",
    "Structures": "nucleate.api.listed",
    "Swarm": "nucleate.api.search",
    "check": "nucleate.api.check",
    "checked_order": "nucleate.api.run",
    "compare": "nucleate.api.compare",
    "export": "nucleate.api.run",
    "export_jobs": "nucleate.api.refine",
    "generate": "nucleate.api.generate",
    "generate_pool": "nucleate.api.generate",
    "holds_many": "nucleate.api.holding",
    "holds_map": "nucleate.api.holding",
    "holds_run": "nucleate.api.holding",
    "import_near": "nucleate.api.map_jobs",
    "import_results": "nucleate.run.hand_back",
    "map_field": "nucleate.api.map",
    "merge": "nucleate.api.merge",
    "open": "nucleate.api.phase_map:open_folder",
    "open_many": "nucleate.api.many",
    "open_map": "nucleate.api.phase_map",
    "phonons": "nucleate.api.phonons",
    "polish": "nucleate.api.final",
    "predict": "nucleate.api.predict",
    "predict_many": "nucleate.api.many",
    "refine": "nucleate.api.refine",
    "refine_near": "nucleate.api.map_further",
    "relax": "nucleate.api.relax",
    "relax_files": "nucleate.api.relax",
    "status_of": "nucleate.api.run",
    "watched": "nucleate.report.watch",
}
"""Module of every public name; ``module:name`` where it has another name there."""

__all__ = [
    "BasinHopping",
    "Candidate",
    "Compared",
    "Comparison",
    "Crystal",
    "Evolution",
    "FailReason",
    "Failed",
    "InputError",
    "LowestMinima",
    "MissingDependencyError",
    "NucleateError",
    "Origin",
    "PhaseMap",
    "RandomSearch",
    "RefinementSummary",
    "Relaxed",
    "Run",
    "Runs",
    "SearchFailedError",
    "Series",
    "Stability",
    "Structures",
    "Swarm",
    "check",
    "checked_order",
    "compare",
    "export",
    "export_jobs",
    "generate",
    "generate_pool",
    "holds_many",
    "holds_map",
    "holds_run",
    "import_near",
    "import_results",
    "map_field",
    "merge",
    "open",
    "open_many",
    "open_map",
    "phonons",
    "polish",
    "predict",
    "predict_many",
    "refine",
    "refine_near",
    "relax",
    "relax_files",
    "status_of",
    "watched",
]

import_on_use(__name__, _MODULES)
