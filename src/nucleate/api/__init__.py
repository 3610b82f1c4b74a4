"""The face of nucleate: predict, relax, generate, open, and what they take and return.

Everything here is also in :mod:`nucleate` itself.
"""

from __future__ import annotations

from nucleate.api.check import check
from nucleate.api.final import polish
from nucleate.api.generate import generate, generate_pool
from nucleate.api.predict import SearchFailedError, predict
from nucleate.api.refine import export_jobs, import_results, refine
from nucleate.api.relax import Series, relax, relax_files
from nucleate.api.run import Run, Structures, checked_order, status_of
from nucleate.api.run import open_run as open  # noqa: A004
from nucleate.api.search import BasinHopping, LowestMinima
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, MissingDependencyError, NucleateError
from nucleate.relax.outcome import Failed, FailReason, Relaxed

__all__ = [
    "BasinHopping",
    "Candidate",
    "Crystal",
    "FailReason",
    "Failed",
    "InputError",
    "LowestMinima",
    "MissingDependencyError",
    "NucleateError",
    "Origin",
    "Relaxed",
    "Run",
    "SearchFailedError",
    "Series",
    "Structures",
    "check",
    "checked_order",
    "export_jobs",
    "generate",
    "generate_pool",
    "import_results",
    "open",
    "polish",
    "predict",
    "refine",
    "relax",
    "relax_files",
    "status_of",
]
