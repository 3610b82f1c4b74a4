"""Figures of a hull."""
