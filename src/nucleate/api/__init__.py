"""The face of nucleate: predict, relax, generate, open, and what they take and return.

Everything here is also in :mod:`nucleate` itself.
"""

from __future__ import annotations

from nucleate.api.generate import generate
from nucleate.api.predict import SearchFailedError, predict
from nucleate.api.relax import relax
from nucleate.api.run import Run, Structures, status_of
from nucleate.api.run import open_run as open  # noqa: A004
from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, MissingDependencyError, NucleateError
from nucleate.relax.outcome import Failed, FailReason, Relaxed

__all__ = [
    "Candidate",
    "Crystal",
    "FailReason",
    "Failed",
    "InputError",
    "MissingDependencyError",
    "NucleateError",
    "Origin",
    "Relaxed",
    "Run",
    "SearchFailedError",
    "Structures",
    "generate",
    "open",
    "predict",
    "relax",
    "status_of",
]
