"""Training of the language of Wyckoff positions."""
