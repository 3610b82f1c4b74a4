"""Crystal structure prediction of inorganic compositions."""

__version__ = "0.1.0"
