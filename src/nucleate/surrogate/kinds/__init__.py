"""Every module here is a kind that the registry knows by its name."""
