"""Basin hopping: what to try next and what came of it."""
