"""Fit models to data: graph networks, proxy potentials, data sets."""
