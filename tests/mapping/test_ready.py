"""What a map needs is looked for before any work, and ``--dry-run`` looks for the same."""

from __future__ import annotations

import pytest

from nucleate.api.map import map_field, preview_map
from nucleate.errors import InputError, MissingDependencyError
from nucleate.mapping.store import MapStore

EMT = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}

EMT_TIER = {"name": "second", "engine": EMT}


def alloy(**sections):
    field = {"system": "Cu-Au", "max_atoms": 4, "max_atoms_per_formula": 3}
    data = {"tier": [{"name": "emt", "engine": EMT}], **sections}
    return {**data, "field": field | sections.get("field", {})}


def engine(**keys):
    return [{"name": "emt", "engine": EMT}, {"name": "late", "engine": keys}]


MISSING = {
    "references": (alloy(field={"references": ["no/such"]}), r"field\.references = .*not exist"),
    "judge": (
        alloy(final={"judge": {"name": "second", "engine": {"kind": "mace", "model": "/no/m.pt"}}}),
        r"final\.judge: .*(m\.pt does not exist|mace-torch)",
    ),
    "judge by name": (alloy(final={"judge": "foo"}), r"final\.judge: model = 'foo'"),
    "force field": (alloy(tier=engine(kind="force-field", file="/no/ff.toml")), r"ff\.toml"),
    "table": (alloy(tier=engine(kind="spp", file="/no/pairs.npz")), r"pairs\.npz"),
    "element": (
        alloy(field={"system": "Cu-Fe"}),
        r"tier 'emt': calculator = .*EMT' does not know Fe \(No EMT-potential for Fe\)\. Choose",
    ),
    "units": (alloy(tier=[{"name": "spp", "engine": "spp"}]), r"'spp'.*arbitrary units.*chgnet"),
    "units of the judge": (alloy(final={"judge": "spp"}), r"final\.judge = 'spp'.*arbitrary"),
    "calculator": (
        alloy(tier=engine(kind="ase", calculator="no_such_package.x:Calc")),
        r"tier 'late': calculator = .*no_such_package is not installed",
    ),
    "interpreter": (
        alloy(tier=[{"name": "emt", "engine": EMT, "python": "/no/bin/python"}]),
        r"tier 'emt': python = '/no/bin/python' cannot be executed",
    ),
    "seeds": (
        alloy(search={"generators": [{"kind": "seeds", "files": ["/no/*.cif"]}]}),
        r"search\.generators\[0\]: '/no/\*\.cif' matches no structure file",
    ),
    "library": (alloy(search={"library": ["/no/my.nlib"]}), r"my\.nlib"),
    "policy": (
        alloy(search={"policy": "bandit", "policy_from": "/no/policy.json"}),
        r"search\.policy_from = '/no/policy\.json'",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_refused_before_any_work(name, tmp_path):
    data, words = MISSING[name]
    for start in (preview_map, lambda data, folder: map_field(data, folder=folder, display=False)):
        with pytest.raises((InputError, MissingDependencyError), match=words):
            start(data, folder=tmp_path / "map")
        assert not MapStore.exists(tmp_path / "map")


def test_a_preview_says_what_a_map_would_do(tmp_path):
    found = preview_map(alloy(), folder=tmp_path / "map", judge=EMT_TIER, known="no-formula")
    assert [item.formula for item in found.field.inner] == ["AuCu", "Au2Cu", "AuCu2"]
    assert found.judge is not None
    assert found.references.held_out
    assert not (tmp_path / "map").exists()
