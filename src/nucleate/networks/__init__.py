"""Neural networks: inference only, each behind a batched model or a graph network."""
