"""Keys without effect beside the others of an input are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from nucleate.errors import InputError
from nucleate.moves.table import PRESETS
from nucleate.run.settings import RunSettings

UNLIKE = dict.fromkeys(PRESETS["fuse2"], 0.0) | {"swap-two-atoms": 1.0}
HOP = {"kind": "basin-hopping"}
SWARM = {"kind": "swarm"}
SPP = {"engine": {"kind": "spp"}, "name": "spp"}
IDLE: tuple[tuple[dict[str, Any], str], ...] = (
    ({"problem": {"compression": 0.7}}, "problem.compression"),
    ({"search": {"new_fraction": 1.0, "moves": {"double": 2.0}}}, "search.moves"),
    ({"search": {"moves": "symmetric", "min_vacancy_ang": 1.5}}, "min_vacancy_ang"),
    (
        {"problem": {"space_groups": [62]}, "search": {"known": "off", "min_vacancy_ang": 1.5}},
        "search.min_vacancy_ang",
    ),
    ({"tier": [{"relax": False, "symmetrise_ang": 0.1}]}, "tier.symmetrise_ang"),
    ({"search": {**HOP, "new_fraction": 1.0, "temperature": 0.1}}, "search.temperature"),
    ({"search": {**HOP, "new_fraction": 1.0, "melt_after": 3}}, "search.melt_after"),
    ({"search": {**HOP, "new_fraction": 1.0, "melted_moves": {"double": 2.0}}}, "melted_moves"),
    ({"search": {**HOP, "melt_step": 0.0, "melt_ceiling": 0.5}}, "search.melt_ceiling"),
    ({"search": {"kind": "swarm", "swarm_fraction": 0.0, "steps": 5}}, "search.steps"),
    ({"search": {"kind": "swarm", "swarm_fraction": 0.0, "topology": "global"}}, "search.topology"),
    ({"search": {**SWARM, "shared_pull": 0.0, "topology": "global"}}, "search.topology"),
    ({"search": {**SWARM, "shared_pull": 0.0, "attractors": 9}}, "search.attractors"),
    ({"search": {**SWARM, "inertia": [0.5, 0.5], "steps": 5}}, "search.steps"),
    ({"search": {"kind": "evolution", "elites": 20, "most_children": 9}}, "most_children"),
    ({"search": {"known": "no-prototype"}}, "no-prototype"),
    ({"search": {"known": "off", "generators": [{"kind": "prototypes"}]}}, "'prototypes'"),
    ({"search": {"generators": [{"kind": "prototypes", "known": "off"}]}}, "'prototypes'"),
    ({"search": {"generators": [{"kind": "prototypes", "known": "no-prototype"}]}}, "no-proto"),
    ({"tier": [{"promote": {"best": 3}}]}, "tier.promote of 'chgnet'"),
    ({"tier": [SPP, {"promote": {"fraction": 0.5}}]}, "tier.promote of 'chgnet'"),
    ({"tier": [{"relax": False, "relax_cell": False}]}, "tier.relax_cell"),
    ({"tier": [{"relax": False, "fix_symmetry": True}]}, "tier.fix_symmetry"),
    ({"tier": [{"relax": False, "rattle_ang": 0.1}]}, "tier.rattle_ang"),
    ({"tier": [{**SPP, "relax": False, "max_steps": 10}]}, "tier.max_steps of 'spp'"),
    ({"tier": [{"relax": False, "wall_s": 30.0}]}, "tier.wall_s"),
    ({"tier": [{"relax": False, "guards": {"shortest_contact": 0.5}}]}, "shortest_contact"),
    ({"tier": [{"fix_symmetry": True, "rattle_ang": 0.1}]}, "tier.rattle_ang"),
    ({"tier": [{"relax_cell": False, "max_stress_gpa": 0.1}]}, "tier.max_stress_gpa"),
    ({"tier": [{"python": "/x/python"}], "run": {"python": "/y/python"}}, "run.python"),
    ({"final": {"best": 0, "window_ev_per_atom": 0.1}}, "final.window_ev_per_atom"),
    ({"final": {"best": 0, "judge": "sevennet"}}, "final.judge"),
    ({"final": {"best": 5}, "tier": [{"engine": {"kind": "vasp"}}]}, "final.best"),
    ({"final": {"budget": "5m"}, "tier": [{"relax": False}]}, "final.budget"),
)
USED: tuple[dict[str, Any], ...] = (
    {},
    {"problem": {"compression": 0.7, "pressure_gpa": 20.0}},
    {"problem": {"allow_tension": True}},
    {"search": {"new_fraction": 1.0}},
    {"search": {"moves": UNLIKE}},
    {"search": {"moves": "rigid", "min_vacancy_ang": 1.5}},
    {"problem": {"formula": "Mn"}, "search": {"moves": UNLIKE | {"reshape": 1.0}}},
    {"search": {**HOP, "temperature": 0.1}},
    {
        "search": {
            "known": "off",
            "library": ["own.nlib"],
            "generators": [{"kind": "prototypes", "known": "all"}],
        }
    },
    {"search": {"known": "off", "library": ["own.nlib"]}},  # as --known off over an input file
    {"search": {"known": "off", "generators": [{"kind": "symmetric"}]}},
    {"search": {"known": "no-prototype"}, "stop": {"target": "CONTCAR"}},
    {"tier": [{**SPP, "promote": {"best": 3}}, {}]},
    {"tier": [{**SPP, "relax": False, "pre_relax": False}]},
    {"tier": [{"relax": False, "fmax_ev_per_ang": 0.1}]},  # decides what counts as converged
    {"tier": [{"python": "/x/python"}, SPP], "run": {"python": "/y/python"}},
    {"final": {"best": 0, "judge": "off"}},
    {"final": {"best": 0}, "tier": [{"relax": False}]},
)


def read(data: dict[str, Any]) -> RunSettings:
    problem = {"formula": "NaCl", **data.get("problem", {})}
    return RunSettings.from_dict({**data, "problem": problem})


@pytest.mark.parametrize(("data", "words"), IDLE, ids=[words for _, words in IDLE])
def test_an_idle_key_is_refused(data: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=r"has no effect .*leave it out") as caught:
        read(data)
    assert words in str(caught.value)


@pytest.mark.parametrize("data", USED, ids=str)
def test_what_has_an_effect_is_taken_and_survives_being_written_out(data: dict[str, Any]) -> None:
    settings = read(data)
    assert RunSettings.from_dict(settings.to_dict()) == settings
