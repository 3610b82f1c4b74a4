"""Points of the input are polished, judged and exported wherever they are."""

from __future__ import annotations

import pytest
from tests.mapping.conftest import INPUT
from tests.report.maps.made import made_map

import nucleate as nc
from nucleate.api.map_near import near_sites
from nucleate.mapping.judged import JUDGED
from nucleate.mapping.near import JUDGED_EV, NEAR_EV, near_phases
from nucleate.mapping.reading import read_map
from nucleate.report.findings import read_findings
from nucleate.run.store import Store

FINAL = """
[final]
best = 1
judge = { name = "other", engine = { kind = "ase", calculator = "ase.calculators.emt:EMT" } }
"""


def test_points_count_as_near_in_any_spelling(tmp_path):
    state = made_map("Cu-Au", tmp_path, max_atoms_per_formula=6, points=("Au2Cu2", "Cu7Au2"))
    assert {point.formula for point in state.field.points} == {"AuCu", "Au2Cu7"}
    for site in state.energies.sites[2:]:
        if site.composition in state.field.points:
            site.best = -2.0
    state.energies.update()
    phases = state.energies.phases()
    heights = state.energies.hull().above_hull
    low = {
        phase.composition.formula
        for phase, height in zip(phases, heights, strict=True)
        if height <= NEAR_EV
    }
    assert not low & {"AuCu", "Au2Cu7"}
    near = {phase.composition.formula for phase in near_phases(state.energies, NEAR_EV)}
    assert near == low | {"AuCu", "Au2Cu7"}


@pytest.mark.usefixtures("short_visits")
@pytest.mark.parametrize("point", ["NiAg", None])
def test_a_point_far_above_the_hull_is_judged(tmp_path, point):
    """By effective-medium theory nickel and silver do not mix (156 meV/atom for CuAu type)."""
    text = (INPUT + FINAL).replace("Cu-Au", "Ni-Ag")
    if point:
        text = text.replace("[search]", f'points = ["{point}"]\n[search]')
    (tmp_path / "field.toml").write_text(text)
    found = nc.map(tmp_path / "field.toml", folder=tmp_path / "map", display=False)
    row = next(row for row in found.rows if row.formula == "NiAg")
    height = row.above_hull_ev_per_atom
    assert height is not None
    assert height > NEAR_EV > JUDGED_EV
    state = read_map(found.folder)
    [site] = [site for site in state.energies.sites if site.formula == "NiAg"]
    with Store.read(site.folder) as store:
        is_polished = read_findings(store) is not None
    is_point = point is not None
    assert is_polished is is_point
    assert ("NiAg" in state.meta[JUDGED]["energies"]) is is_point
    assert (found.export(tmp_path / "out") / "structures" / "NiAg.cif").exists() is is_point
    if is_point:
        assert row.judged_above_hull_ev_per_atom == pytest.approx(height, abs=1e-3)
        assert site.formula in [item.formula for item in near_sites(found.folder)[1]]
