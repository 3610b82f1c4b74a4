"""Operators of evolutionary searches, the parents they work on, and their success."""
