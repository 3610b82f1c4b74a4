"""The fourteen basin-hopping moves."""
