"""Keys of the input for moves and space groups: they count, or are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.generate.build import build_generators, named
from nucleate.generate.context import GeneratorContext
from nucleate.run.predict import build_search
from nucleate.run.settings import RunSettings

NO_VACANCIES = {
    "move-atom-to-vacancy": 0.0,
    "shuffle-some-with-vacancies": 0.0,
    "shuffle-all-with-vacancies": 0.0,
}


def settings_of(problem: dict[str, Any] | None = None, **search: Any) -> RunSettings:
    return RunSettings.from_dict(
        {
            "problem": {"formula": "MgO", "max_atoms": 8, **(problem or {})},
            "search": {"known": "off", **search},
            "tier": [{"engine": {"kind": "spp"}}],
        }
    )


@pytest.mark.parametrize("kind", ["lowest-minima", "basin-hopping"])
def test_rattle_and_vacancy_distance_reach_the_moves(kind: str) -> None:
    plain: Any = build_search(settings_of(kind=kind))
    changed: Any = build_search(settings_of(kind=kind, rattle_ang=0.2, min_vacancy_ang=1.5))
    before, after = plain._proposals._context(None), changed._proposals._context(None)
    assert (before.rattle, before.space.vacancy_exclusion) == (0.05, 1.0)
    assert (after.rattle, after.space.vacancy_exclusion) == (0.2, 1.5)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"new_fraction": 1.0, "rattle_ang": 0.1}, "rattle_ang has no effect"),
        ({"new_fraction": 1.0, "min_vacancy_ang": 1.0}, "min_vacancy_ang has no effect"),
        ({"moves": NO_VACANCIES, "min_vacancy_ang": 1.0}, "every move to vacant sites is off"),
        ({"rattle_ang": -0.1}, "rattle_ang"),
        ({"min_vacancy_ang": 0.0}, "min_vacancy_ang"),
    ],
)
def test_keys_of_moves_without_effect_are_refused(search: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings_of(**search)


@pytest.mark.parametrize("groups", [[0], [231], ["225-200"], ["a"], ["1-2-3"], [], ["-5"], [""]])
def test_space_groups_that_are_none_are_refused(groups: list[int | str]) -> None:
    with pytest.raises(InputError, match="space_groups"):
        settings_of({"space_groups": groups})


def test_the_isolated_cutoff_reaches_the_space() -> None:
    assert settings_of({"isolated_cutoff_ang": 4.0}).problem.space().isolated_cutoff == 4.0
    assert settings_of().problem.space().isolated_cutoff == 6.0


def context_of(formula: str, groups: list[int | str], max_atoms: int = 8) -> GeneratorContext:
    composition = Composition.from_formula(formula)
    space = SearchSpace.create(composition, max_atoms=max_atoms, space_groups=groups)
    return GeneratorContext(space=space, seed=0)


def test_new_structures_are_in_the_space_groups_asked_for() -> None:
    mix = build_generators((), context_of("MgO", [216, "221-225"]))
    rng = np.random.default_rng(0)
    for _ in range(20):
        candidate = mix.generate(rng=rng)
        assert candidate is not None
        assert candidate.origin.detail["space_group_number"] in {216, *range(221, 226)}
        assert space_group(candidate.crystal)[0] >= 195


def test_generators_that_cannot_keep_to_space_groups_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="'blocks' cannot keep to space groups"):
        build_generators((named("symmetric"), named("blocks")), context_of("MgO", [225]))
    with pytest.raises(InputError, match="none of these groups can hold"):
        build_generators((), context_of("MgO", [230]))
    with pytest.raises(InputError, match=r"space_groups = \[1\]: P1 alone asks for no symmetry"):
        build_generators((), context_of("MgO", [1]))
