"""Sub-modules: slicing crystals into blocks and assembling them again."""
