"""The import graph of the package."""

from __future__ import annotations

import grimp
import numpy as np
from scipy.sparse.csgraph import connected_components


def test_no_two_modules_need_each_other() -> None:
    """Imports inside functions count; those for type checkers do not, nor the lazy face."""
    graph = grimp.build_graph("nucleate", exclude_type_checking_imports=True, cache_dir=None)
    modules = sorted(graph.modules - {"nucleate"})
    place = {module: k for k, module in enumerate(modules)}
    needs = np.zeros((len(modules), len(modules)), dtype=bool)
    for module in modules:
        for other in graph.find_modules_directly_imported_by(module) - {"nucleate"}:
            needs[place[module], place[other]] = True
    _, circle = connected_components(needs, connection="strong")
    members = [[m for m in modules if circle[place[m]] == c] for c in np.unique(circle)]
    assert not [names for names in members if len(names) > 1]
    assert not needs.diagonal().any()
