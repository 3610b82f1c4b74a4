"""Maps of copper and gold by effective-medium theory, with visits of little time."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

import nucleate as nc
from nucleate.mapping import visit

INPUT = """
[field]
system = "Cu-Au"
max_atoms = 4
max_atoms_per_formula = 4
[search]
generators = [{kind = "symmetric"}]
[[tier]]
name = "emt"
engine = {kind = "ase", calculator = "ase.calculators.emt:EMT"}
[allocation]
first = 3
slice = 5
[stop]
structures = 24
expected_change_mev = 0
[run]
workers = 1
"""


QUICK = f"{INPUT}[final]\nbest = 0\n"
"""The same without a final phase."""


@pytest.fixture(scope="session")
def quick_map(tmp_path_factory):
    """The folder of a map without a final phase; tests that change it take a copy."""
    folder = tmp_path_factory.mktemp("quick")
    (folder / "field.toml").write_text(QUICK)
    with without_shortest_times():
        nc.map(folder / "field.toml", folder=folder / "map", display=False)
    return folder / "map"


@pytest.fixture(scope="module")
def short_visits():
    """Let visits end after their number of structures, however quick these are."""
    with without_shortest_times():
        yield


@contextmanager
def without_shortest_times():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(visit, "FIRST_CORE_S", 0.0)
        patch.setattr(visit, "LEAST_CORE_S", 0.0)
        yield
