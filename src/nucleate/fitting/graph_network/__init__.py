"""Training of the graph network."""
