"""Crystals by flow matching: a vector field carries random atoms into crystals."""
