"""The input of a map, and of the run of one composition."""

from __future__ import annotations

import pytest

from nucleate.crystal.composition import Composition
from nucleate.errors import InputError
from nucleate.mapping.field import field_of
from nucleate.mapping.settings import MapSettings

DATA = {
    "field": {
        "system": "Li-Sn-S-Cl",
        "oxidation_states": {"Sn": [2, 4]},
        "max_atoms": 16,
        "min_distances": {"S-S": 2.5, "Li-Cl": 2.0},
        "windows": ["x(Li) < 0.5"],
    },
    "search": {"kind": "lowest-minima", "seed": 5},
    "final": {"best": 3},
    "allocation": {"slice": 7},
    "stop": {"time": "2h", "expected_change_mev": 0.5},
}


def test_survives_being_written_out() -> None:
    settings = MapSettings.from_dict(DATA)
    again = MapSettings.from_dict(settings.to_dict())
    assert again == settings
    assert settings.stop.time == 7200.0


def test_the_run_of_a_composition_has_its_part_of_the_input() -> None:
    settings = MapSettings.from_dict(DATA)
    run = settings.run_settings(Composition.from_formula("Li2Sn2S3Cl4"))
    assert run.problem.formula == "Li2Sn2S3Cl4"
    assert run.problem.max_atoms == 16
    assert run.problem.oxidation_states == {"Li": 1, "Sn": (2, 4), "S": -2, "Cl": -1}
    assert run.problem.min_distances == {"S-S": 2.5, "Li-Cl": 2.0}
    assert run.seed == 5
    assert run.final.best == 3
    assert run.tier == settings.tier
    binary = settings.run_settings(Composition.from_formula("LiCl"))
    assert binary.problem.oxidation_states is None
    assert binary.problem.min_distances == {"Li-Cl": 2.0}
    element = settings.run_settings(Composition.from_formula("Sn"))
    assert element.problem.oxidation_states is None


@pytest.mark.parametrize("known", ["all", "no-formula", "off"])
def test_a_run_draws_known_structures_where_it_may_use_them(known: str) -> None:
    settings = MapSettings.from_dict({**DATA, "search": {"known": known}})
    run = settings.run_settings(Composition.from_formula("Li2S"))
    kinds = [item.kind for item in run.search.generators]
    assert ("prototypes" in kinds) == (known != "off")
    assert {"symmetric", "blocks", "wyckoff-language"} <= set(kinds)


def test_a_large_point_has_room_for_one_formula_unit() -> None:
    run = MapSettings.from_dict(DATA).run_settings(Composition.from_formula("Li20Sn2S12"))
    assert run.problem.max_atoms == 17
    assert (
        MapSettings.from_dict(DATA)
        .run_settings(Composition.from_formula("Li10Sn4S13"))
        .problem.max_atoms
        == 27
    )


def test_paths_of_a_file_are_relative_to_it(tmp_path) -> None:
    file = tmp_path / "field.toml"
    file.write_text(
        '[field]\nsystem = "Sr-Ti-O"\nreferences = ["shipped", "known"]\nmotif = "co3.xyz"\n'
    )
    settings = MapSettings.from_toml(file)
    assert settings.field.motif == str(tmp_path / "co3.xyz")
    assert settings.field.references == ("shipped", str(tmp_path / "known"))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "field is missing"),
        ({"field": {"system": "Sr-O"}, "problem": {"formula": "SrO"}}, "problem is not a key"),
        ({"field": {"system": "Sr-O"}, "allocation": {"rule": "best"}}, "allocation.rule"),
        ({"field": {"system": "Sr-O"}, "stop": {"expected_change": 1}}, "expected_change_mev"),
        (
            {"field": {"system": "Sr-O"}, "search": {"known": "no-prototype"}},
            "search.known = 'no-prototype'",
        ),
        ({"field": {"system": "Sr-O", "space_groups": [0]}}, "space_groups"),
        ({"field": {"system": "Sr-O"}, "surrogate": {"on": True}}, "named 'surrogate'"),
        ({"field": {"system": "Sr-O", "compression": 0.7}}, "field.compression = 0.7 has no"),
    ],
)
def test_bad_input_names_the_key(data: dict, words: str) -> None:
    with pytest.raises(InputError, match=words.replace("[", r"\[")):
        MapSettings.from_dict(data)


@pytest.mark.parametrize("pair", ["Fe-O", "OO", "O-O-O"])
def test_a_minimum_distance_of_no_pair_of_the_field_is_refused(pair: str) -> None:
    settings = MapSettings.from_dict({"field": {"system": "Sr-O", "min_distances": {pair: 2.5}}})
    with pytest.raises(InputError, match=rf"field\.min_distances: {pair} = 2\.5 has no effect"):
        field_of(settings)


def test_limits_of_the_field_are_those_of_every_search() -> None:
    limits = {
        "pressure_gpa": -1.0,
        "allow_tension": True,
        "volume_window": [0.8, 1.2],
        "contact_scale": 1.1,
        "min_distances": {"O-O": 2.5},
        "isolated_cutoff_ang": 3.0,
        "space_groups": [62],
    }
    composition = Composition.from_formula("SrO")
    bare, limited = (
        MapSettings.from_dict({"field": {"system": "Sr-O", **given}}).run_settings(composition)
        for given in ({}, limits)
    )
    assert limited.problem.pressure_gpa == -1.0
    before, after = bare.problem.space(), limited.problem.space()
    assert after.volume_window == (0.8, 1.2)
    assert after.isolated_cutoff == 3.0
    assert after.space_groups == frozenset([62])
    assert (after.min_distances[[38, 8], [38, 8]] > before.min_distances[[38, 8], [38, 8]]).all()
    assert after.min_distances[8, 8] == 2.5


def test_a_second_model_judges_only_if_it_is_asked_for() -> None:
    assert MapSettings.from_dict({"field": {"system": "Mg-O"}}).final.judge == "off"
    some = MapSettings.from_dict({"field": {"system": "Mg-O"}, "final": {"best": 3}})
    assert (some.final.best, some.final.judge) == (3, "off")


@pytest.mark.parametrize(
    ("stop", "words"),
    [
        ({}, "allocation.rule = 'equal' has no end of its own. Give stop.time"),
        ({"time": "1m", "expected_change_mev": 5.0}, "stop.expected_change_mev = 5 has no effect"),
    ],
)
def test_a_map_that_would_not_end_or_ignore_a_key_is_refused_before_any_work(stop, words) -> None:
    data = {**DATA, "stop": stop, "allocation": {"rule": "equal"}}
    with pytest.raises(InputError) as caught:
        MapSettings.from_dict(data).check_end()
    assert str(caught.value).startswith(words)
    for fine in ({"structures": 9}, {"core_time": "1m", "expected_change_mev": 0}):
        MapSettings.from_dict({**data, "stop": fine}).check_end()
    MapSettings.from_dict({**DATA, "stop": stop}).check_end()


def test_a_run_that_exists_keeps_the_generators_that_it_began_with(tmp_path) -> None:
    from nucleate.run.folder import open_store

    settings, sulfide = MapSettings.from_dict(DATA), Composition.from_formula("Li2S")
    now = settings.run_settings(sulfide, tmp_path)
    assert now == settings.run_settings(sulfide)
    earlier = now.to_dict()
    earlier["search"]["generators"] = [{"kind": "symmetric", "weight": 0.3}]
    open_store(tmp_path, type(now).from_dict(earlier)).close()
    kept = settings.run_settings(sulfide, tmp_path)
    assert [(item.kind, item.weight) for item in kept.search.generators] == [("symmetric", 0.3)]
    named = {**DATA, "search": {"generators": [{"kind": "blocks"}]}}
    own = MapSettings.from_dict(named).run_settings(sulfide, tmp_path)
    assert [item.kind for item in own.search.generators] == ["blocks"]


def test_the_default_generators_keep_to_space_groups_and_motifs() -> None:
    def kinds(known: str, **limits: object) -> list[str]:
        data = {**DATA, "field": {**DATA["field"], **limits}, "search": {"known": known}}
        return [item["kind"] for item in MapSettings.from_dict(data).quick_generators()]

    assert kinds("all", space_groups=[225]) == ["prototypes", "symmetric", "wyckoff-language"]
    assert kinds("off", space_groups=[225]) == ["symmetric", "wyckoff-language"]
    assert kinds("all", motif="co3.xyz") == ["prototypes"]
    assert kinds("off", motif="co3.xyz") == []
