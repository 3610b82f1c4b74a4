"""Exports, tables and plots of a run."""
