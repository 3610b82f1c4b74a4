"""The graph network for formation energies."""
