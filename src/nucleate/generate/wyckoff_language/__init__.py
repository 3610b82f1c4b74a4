"""Symmetric crystals as sentences, and a transformer that writes them."""
