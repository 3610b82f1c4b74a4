"""Programs outside of Python: isolated processes, recipes of stages, presets."""
