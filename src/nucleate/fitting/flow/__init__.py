"""Training of the flow that makes crystals."""
