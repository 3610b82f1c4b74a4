"""Harmonic lattice dynamics by finite displacements, and what a soft mode leads to."""

from __future__ import annotations

from nucleate.phonons.dynamics import Displacements, Phonons, displacements
from nucleate.phonons.soft_modes import Distortion, distortions

__all__ = ["Displacements", "Distortion", "Phonons", "displacements", "distortions"]
