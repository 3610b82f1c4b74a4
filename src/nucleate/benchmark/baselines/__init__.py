"""Other programs' searches on the same compositions, the same relaxer and the same core time."""
