"""Presets of whole searches."""

from __future__ import annotations

import sys

import pytest

from nucleate.api.inputs import settings_of
from nucleate.api.models import as_tiers
from nucleate.cli import main
from nucleate.errors import InputError
from nucleate.run.final_settings import polishing_tier
from nucleate.run.presets import over_preset, run_preset, run_preset_names


def test_the_preset_is_the_papers_setting() -> None:
    settings = settings_of("Ca3Ti2O7", preset="fuse2")
    search, (tier,) = settings.search, settings.tier
    assert (search.kind, search.walkers, search.known) == ("basin-hopping", 1, "off")
    assert (search.population, search.temperature, search.new_fraction) == (25, 0.02, 0.0)
    pool, blocks = search.generators
    assert (pool.kind, pool.symmetry, pool.ranking) == ("graph-search", "triclinic", "spp")
    assert (pool.number, pool.most_formula_units) == (5000, 8)
    assert blocks.weight == pool.weight  # moves 13 and 14 take from both with even chances
    assert (tier.max_steps, tier.symmetrise_ang, tier.fix_symmetry) == (220, 0.1, False)
    assert settings.problem.space().max_atoms == 50
    assert search.melt_ceiling == 0.2


def test_the_published_values_of_the_preset_can_be_had() -> None:
    overrides = {"search": {"melt_ceiling": 1000.0}}
    assert settings_of("Ca3Ti2O7", overrides, preset="fuse2").search.melt_ceiling == 1000.0
    tier = {**run_preset("fuse2")["tier"][0], "symmetrise_ang": 1e-5}
    settings = settings_of("Ca3Ti2O7", {"": {"tier": [tier]}}, preset="fuse2")
    assert settings.tier[0].symmetrise_ang == 1e-5


def test_what_is_given_comes_before_the_preset() -> None:
    overrides = {"search": {"seed": 7}, "stop": {"structures": 5}}
    settings = settings_of("MgO", overrides, preset="fuse2")
    assert (settings.search.seed, settings.search.walkers) == (7, 1)
    assert settings.stop.structures == 5
    data = {"problem": {"formula": "MgO"}, "search": {"temperature": 0.05}, "tier": [{}]}
    settings = settings_of(data, preset="fuse2")
    assert (settings.search.temperature, settings.search.walkers) == (0.05, 1)
    assert settings.tier[0].max_steps == 500


def test_a_tier_that_is_named_relaxes_as_the_preset_does() -> None:
    def tiers(*models):
        return settings_of("MgO", {"": {"tier": as_tiers(models)}}, preset="fuse2").tier

    for tier in tiers("spp", "chgnet"):
        assert (tier.max_steps, tier.symmetrise_ang, tier.fmax_ev_per_ang) == (220, 0.1, 0.03)
    single, own = tiers({"engine": "chgnet", "relax": False}, {"engine": "spp", "max_steps": 9})
    assert (single.symmetrise_ang, own.max_steps, own.symmetrise_ang) == (0.0, 9, 0.1)


def test_a_kind_that_is_named_besides_an_input_leaves_its_other_keys() -> None:
    data = {"problem": {"formula": "MgO"}, "search": {"seed": 3, "population": 7}}
    settings = settings_of(data, {"search": {"kind": "evolution"}})
    assert (settings.search.kind, settings.search.seed) == ("evolution", 3)
    with pytest.raises(InputError, match="'evolution' is not that of preset = 'fuse2'"):
        settings_of("MgO", {"search": {"kind": "evolution"}}, preset="fuse2")


def test_another_kind_of_search_is_refused() -> None:
    for search in ("lowest-minima", {"kind": "lowest-minima"}):
        with pytest.raises(InputError, match="is not that of preset = 'fuse2'"):
            over_preset({"search": search}, "fuse2")
    assert over_preset({"search": "basin-hopping"}, "fuse2") == run_preset("fuse2")


@pytest.mark.parametrize("name", ["fuse", "", "../fuse2", "x" * 1000])
def test_unknown_presets_are_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(InputError, match="Use one of fuse2"):
        run_preset(name)


def test_presets_are_listed_and_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["nucleate", "presets", *words])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr().out

    assert all(name in shown("list") for name in run_preset_names())
    assert "ranking = " in shown("show", "fuse2")
    assert "ENCUT" in shown("show", "vasp/paper")


def test_the_final_phase_does_not_symmetrise_the_starts_that_it_rattles() -> None:
    settings = settings_of("MgO", preset="fuse2")
    polish = polishing_tier(settings.tier[-1])
    assert polish is not None
    assert (polish.symmetrise_ang, polish.rattle_ang) == (0.0, 0.0)
