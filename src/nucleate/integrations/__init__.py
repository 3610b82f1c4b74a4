"""Searches inside the workflows of other packages."""
