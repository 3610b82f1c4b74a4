"""Crystals that a graph network finds low in energy: optimisers over symmetric crystals."""
