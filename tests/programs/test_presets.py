"""Every shipped recipe is valid; a wrong name is met with the nearest right one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nucleate.errors import InputError
from nucleate.programs.kpoints import kpoint_grid
from nucleate.programs.presets import merged, preset_names, preset_text
from nucleate.relax.settings import TierSettings


def settings_of(name, **engine):
    kind, preset = name.split("/")
    return TierSettings.model_validate({"engine": {"kind": kind, "preset": preset, **engine}})


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid_and_survive_the_wire(name):
    tier = settings_of(name)
    assert TierSettings.model_validate(tier.model_dump(mode="json")) == tier
    assert preset_text(name).startswith("description = ")


def test_the_paper_presets_have_the_numbers_of_the_paper():
    vasp = settings_of("vasp/paper").engine
    assert sum(stage.max_steps for stage in vasp.stage) == 220
    assert [stage.kspacing for stage in vasp.stage] == [0.5, 0.5, 0.3, 0.3, 0.3]
    assert vasp.stage[-1].incar["EDIFFG"] == -0.03
    assert (vasp.encut_factor, vasp.incar["GGA"]) == (1.3, "PE")
    gulp = settings_of("gulp/paper").engine
    assert [stage.max_steps for stage in gulp.stage[:-1]] == [250, 250, 1500, 1500]
    assert gulp.wall_s == 300.0


def test_own_keys_go_over_the_preset():
    engine = settings_of("vasp/paper", incar={"NELM": 80}, cores=4).engine
    assert engine.incar["NELM"] == 80
    assert engine.incar["GGA"] == "PE"
    assert engine.words() == ["mpirun", "-n", "4", "vasp_std"]
    assert len(settings_of("vasp/paper", stage=[{"relax": "none"}]).engine.stage) == 1


def test_unknown_presets_name_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'paper'"):
        settings_of("vasp/papre")
    with pytest.raises(InputError, match="Did you mean 'gpaw/coarse'"):
        preset_text("gpaw/corse")
    with pytest.raises(InputError, match="several engines: gulp/paper, vasp/paper"):
        preset_text("paper")


@given(st.dictionaries(st.sampled_from("abc"), st.integers() | st.just({"c": 1, "d": 2})))
def test_merging_is_idempotent_and_the_second_wins(over):
    base = {"a": 1, "b": {"c": 2}}
    once = merged(base, over)
    assert merged(once, over) == once
    assert merged(base, {}) == base
    assert set(once) == set(base) | set(over)


@given(st.floats(2.0, 30.0), st.floats(0.1, 1.0), st.floats(-0.4, 0.4))
def test_grids_are_as_fine_as_asked_and_no_finer(a, spacing, shear):
    cell = np.array([[a, 0, 0], [shear * a, 1.3 * a, 0], [0, shear * a, 0.7 * a]])
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(cell).T, axis=1)
    for length, n in zip(lengths, kpoint_grid(cell, spacing), strict=True):
        assert length / n <= spacing * (1 + 1e-6)
        assert n == 1 or length / (n - 1) > spacing * (1 - 1e-6)
