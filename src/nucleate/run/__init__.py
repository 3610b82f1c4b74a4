"""Input file, workers, store and the campaign loop."""
