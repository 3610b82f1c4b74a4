"""Deriving proxy potentials from a set of structures."""
