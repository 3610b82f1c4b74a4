"""The fourteen basin-hopping moves, and moves that know symmetry and rigid units."""
