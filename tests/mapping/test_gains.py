"""How much one phase lowers a hull: by the formula, and by building the hull again."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.mapping.gains import lowerings
from nucleate.mapping.hull import Hull


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_is_that_of_the_new_hull(n: int, n_phases: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    members, names = np.eye(n, dtype=int), "ABCDE"[:n]
    counts = np.concatenate([members, rng.integers(0, 4, (n_phases, n)) + members[0]])
    energies = np.concatenate([np.zeros(n), rng.normal(-0.1, 0.2, n_phases)])
    energies[(counts > 0).sum(axis=1) == 1] = 0.0
    hull = Hull.build(members, names, counts, energies)
    new = rng.integers(0, 5, (3, n)) + members[n - 1]
    spots = np.concatenate([rng.dirichlet(np.ones(n), 8), hull.shares])
    places = new / new.sum(axis=1, keepdims=True)
    values = hull.at_shares(places) + rng.choice([0.1, -0.01, -0.3], 3)
    values[places.max(axis=1) == 1.0] = 0.1  # no phase lowers a corner
    found = lowerings(hull.potentials, spots, places, values)
    for place, value, change in zip(new, values, found, strict=True):
        after = Hull.build(members, names, np.vstack([counts, place]), np.append(energies, value))
        wanted = hull.at_shares(spots) - after.at_shares(spots)
        np.testing.assert_allclose(change, wanted, atol=1e-9)
