"""Known structures: a library of prototypes, substitution into them, and names."""
