"""Classical energy models by name."""
