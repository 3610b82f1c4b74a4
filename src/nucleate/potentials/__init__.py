"""Classical energy models: spline pair tables, Buckingham, Ewald; proxy potentials."""
