"""Compositions, crystals, periodic geometry, symmetry, fingerprints and files."""
