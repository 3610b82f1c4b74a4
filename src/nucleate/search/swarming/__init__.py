"""Particles of a swarm of crystals, what attracts them, and how two crystals are compared."""
