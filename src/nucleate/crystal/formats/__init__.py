"""Readers and writers of crystal files, a module for each format."""
