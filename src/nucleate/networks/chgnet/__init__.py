"""CHGNet rewritten for batches, on the weights that the ``chgnet`` package carries."""
