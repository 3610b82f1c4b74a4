"""Policies: which source or move a search tries next, learned from what came of the others."""
