"""Compositions, crystals, periodic geometry, symmetry, fingerprints and files."""

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace

__all__ = ["Candidate", "Composition", "Crystal", "Origin", "SearchSpace"]
