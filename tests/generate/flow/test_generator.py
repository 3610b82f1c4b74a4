"""The generator: exact, reproducible, in the space groups that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError
from nucleate.generate.build import named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.flow.generator import REACHED_WEIGHT
from nucleate.testing.common import space_of

if TYPE_CHECKING:
    from pathlib import Path

    from nucleate.generate.pool import Member

pytest.importorskip("torch")
pytest.importorskip("safetensors")


def _members(
    path: Path, space: SearchSpace, number: int = 12, **keys: object
) -> tuple[Member, ...]:
    settings = named("flow", checkpoint=str(path), number=number, steps=2, **keys)
    return settings.build(GeneratorContext(space, seed=3)).members


def test_candidates_are_exact_allowed_and_the_same_twice(small_flow: Path) -> None:
    space = space_of("TiO2", 6)
    first, again = (_members(small_flow, space, 20) for _ in range(2))
    assert first
    assert len(first) <= 20
    assert [m.crystal for m in first] == [m.crystal for m in again]
    for member in first:
        assert space.rejection(member.crystal) is None
        units = int(member.detail["formula_units"])
        assert np.bincount(member.crystal.numbers)[[8, 22]].tolist() == [2 * units, units]
    order = [
        (float(m.detail["log_likelihood"]) + REACHED_WEIGHT * np.log(float(m.detail["reached"])))
        / m.crystal.n_atoms
        for m in first
    ]
    assert order == sorted(order, reverse=True)
    assert len({m.detail["log_likelihood"] for m in first}) > 1


def test_more_starts_leave_the_first_ones_as_they_are(small_flow: Path) -> None:
    space = space_of("NaCl", 2)
    few = [m.crystal for m in _members(small_flow, space, 6)]
    many = [m.crystal for m in _members(small_flow, space, 40)]
    near = [min(abs(c.volume - other.volume) for other in many) for c in few]
    assert sum(change < 1e-3 for change in near) >= len(few) - 1  # some had been replaced


def test_space_groups_that_are_asked_for_are_kept(small_flow: Path) -> None:
    composition = Composition.from_formula("SrTiO3")
    space = SearchSpace.create(composition, max_atoms=5, space_groups=[99, 123, 221])
    members = _members(small_flow, space)
    assert members
    for member in members:
        assert member.detail["kept_group_number"] in (99, 123, 221)
        assert space_group(member.crystal, 1e-3)[0] in (99, 123, 221)
    own = named("flow", checkpoint=str(small_flow), symmetric=0.2)
    with pytest.raises(InputError, match=r"symmetric = 0\.2 has no effect with problem\.space_gr"):
        own.build(GeneratorContext(space))


def test_a_share_of_starts_may_be_symmetric(small_flow: Path) -> None:
    found = _members(small_flow, space_of("TiO2", 6), 30, symmetric=0.5)
    kinds = {"kept_group" in member.detail for member in found}
    assert kinds == {False, True}
