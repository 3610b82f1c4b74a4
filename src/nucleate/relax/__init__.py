"""Relaxation: outcomes, guards, batched optimiser and engines."""
