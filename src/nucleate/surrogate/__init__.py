"""A potential of the composition at hand, fitted to the evaluations of a search as it runs."""
