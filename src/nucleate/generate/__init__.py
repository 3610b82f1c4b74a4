"""Sources of new candidates."""
