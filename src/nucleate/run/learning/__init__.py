"""A surrogate that learns in the run: what is considered, what is finished, and what is learned."""
