"""One thin file an engine."""
