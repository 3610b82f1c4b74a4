"""Checks of what plug-ins promise, for their own tests.

Each check takes a component, its class, its kind, or the object that it builds, and raises
:class:`~nucleate.errors.ContractError` with what is broken. nucleate's own components pass them.

Examples
--------
>>> from nucleate.testing import check_generator, check_move
>>> check_generator("symmetric", "CaTiO3", max_atoms=10)
>>> check_move("swap-two-atoms", "CaTiO3", max_atoms=10)
"""

from __future__ import annotations

from nucleate.errors import ContractError
from nucleate.testing.generators import check_generator
from nucleate.testing.models import check_model
from nucleate.testing.moves import check_move
from nucleate.testing.programs import check_program
from nucleate.testing.searches import check_search

__all__ = [
    "ContractError",
    "check_generator",
    "check_model",
    "check_move",
    "check_program",
    "check_search",
]
