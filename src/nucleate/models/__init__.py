"""Learned models: graph network, its training, data sets, shipped checkpoints."""
