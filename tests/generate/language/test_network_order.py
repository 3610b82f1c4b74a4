"""Candidates of the language in the order of likelihood and of energy by the graph network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import exp
from typing import TYPE_CHECKING

import numpy as np
import pytest

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.generate.build import named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.kinds import wyckoff_language as language
from nucleate.generate.pool import Member
from nucleate.generate.wyckoff_language.network_order import NetworkOrder
from nucleate.networks.graph_network.network import GraphNetwork
from nucleate.testing.common import space_of

if TYPE_CHECKING:
    from pathlib import Path


SPACE = space_of("CsCl", 4)


def cube(edge: float) -> Crystal:
    return Crystal(np.array([55, 17]), edge * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]))


def member(edge: float, words: str, log_likelihood: float) -> Member:
    detail = {"wyckoff": words, "space_group_number": 221, "formula_units": 1}
    return Member(cube(edge), {**detail, "log_likelihood": log_likelihood})


class ByEdge:
    """A network in which the energy is that of the edge."""

    def __init__(self, energies: dict[float, float]) -> None:
        self._energies = energies

    def energies(self, crystals: Sequence[Crystal]) -> np.ndarray:
        return np.array([self._energies[round(float(c.cell[0, 0]), 3)] for c in crystals])


def edges(members: Sequence[Member]) -> list[float]:
    return [round(float(item.crystal.cell[0, 0]), 3) for item in members]


def test_likelihood_and_energy_add_up() -> None:
    members = [member(4.0, "ab", np.log(0.9)), member(4.3, "ac", np.log(0.1))]
    for gain, expected in ((0.08, [4.0, 4.3]), (0.12, [4.3, 4.0])):
        assert exp(0.08 / 0.045) < 9.0 < exp(0.12 / 0.045)
        ordered = NetworkOrder(ByEdge({4.0: -2.0, 4.3: -2.0 - gain})).of(members, SPACE)  # type: ignore[arg-type]
        assert edges(ordered) == expected
    assert ordered[0].detail["network_energy"] == -2.12
    assert "descent_steps" not in ordered[0].detail


def test_what_the_network_puts_far_too_low_is_not_first_for_that() -> None:
    members = [member(4.0, "ab", np.log(0.99)), member(4.3, "ac", np.log(0.01))]
    ordered = NetworkOrder(ByEdge({4.0: -2.0, 4.3: -9.0})).of(members, SPACE)  # type: ignore[arg-type]
    assert edges(ordered) == [4.0, 4.3], "a factor of 99, and 28 at most for the energy"


def test_one_assignment_does_not_take_all_first_places() -> None:
    energies = {4.0: -2.000, 4.1: -2.002, 4.2: -2.001, 4.3: -2.0}
    members = [member(e, "ab", np.log(0.6)) for e in (4.0, 4.1, 4.2)]
    members.append(member(4.3, "ac", np.log(0.4)))
    ordered = NetworkOrder(ByEdge(energies)).of(members, SPACE)  # type: ignore[arg-type]
    assert edges(ordered) == [4.1, 4.3, 4.2, 4.0]


def test_repeats_are_left_out_and_nothing_stays_nothing() -> None:
    members = [member(4.0, "ab", 0.0), member(4.0, "ba", -1.0)]
    ordered = NetworkOrder(ByEdge({4.0: -2.0})).of(members, SPACE)  # type: ignore[arg-type]
    assert [item.detail["wyckoff"] for item in ordered] == ["ab"]
    assert NetworkOrder(ByEdge({})).of([], SPACE) == []  # type: ignore[arg-type]


def test_the_descent_goes_down() -> None:
    context = GeneratorContext(space_of("CaTiO3", 10))
    made = named("wyckoff-language", number=12, ranking="likelihood").build(context).members
    before = {(m.detail["wyckoff"], m.detail["log_density"]): m.crystal for m in made}
    network, lower = GraphNetwork.load(), 0
    moved = NetworkOrder(network, steps=10).of(made, context.space)
    for item in moved:
        start = before[item.detail["wyckoff"], item.detail["log_density"]]
        energies = network.energies([start, item.crystal])
        assert item.detail["descent_steps"] == 10
        assert item.detail["network_energy"] == pytest.approx(energies[1], abs=1e-5)
        lower += energies[1] < energies[0] - 1e-3
    assert lower > len(moved) / 2


def test_there_are_as_many_as_were_asked_for() -> None:
    for keys in ({}, {"descent_steps": 3}):
        settings = named("wyckoff-language", number=12, ranking="network", **keys)
        members = settings.build(GeneratorContext(space_of("CaTiO3", 10))).members
        assert len(members) == 12
        assert {m.detail.get("descent_steps") for m in members} == {keys.get("descent_steps")}


def test_the_pool_is_the_same_again() -> None:
    context = GeneratorContext(space_of("SrTiO3", 10), seed=3)
    first, again = (
        named("wyckoff-language", number=8, ranking="network").build(context).members
        for _ in range(2)
    )
    assert [m.detail for m in first] == [m.detail for m in again]
    assert all(
        np.array_equal(a.crystal.scaled, b.crystal.scaled)
        for a, b in zip(first, again, strict=True)
    )


def test_an_element_that_the_network_lacks_is_told_and_likelihood_ranks() -> None:
    said: list[str] = []
    settings = named("wyckoff-language", ranking="network", number=4)
    assert settings.build(GeneratorContext(space_of("PoO2", 6), warn=said.append)) is not None
    [warning] = said
    assert "has never seen Po; its candidates are ranked by likelihood" in warning


def test_by_itself_it_ranks_by_the_network_where_that_can_serve(
    small_language: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first(formula: str, **keys: object) -> dict[str, object]:
        context = GeneratorContext(space_of(formula, 6), warn=pytest.fail)
        return named("wyckoff-language", number=4, **keys).build(context).members[0].detail

    assert "network_energy" in first("NaCl")
    assert "network_energy" not in first("NaCl", ranking="likelihood")
    silent = GeneratorContext(space_of("XeF2", 6), warn=pytest.fail)
    named("wyckoff-language", checkpoint=str(small_language)).build(silent)
    monkeypatch.setattr(language, "find_spec", lambda _: None)
    assert "network_energy" not in first("NaCl")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"ranking": "likelihood", "descent_steps": 5},
            'descent_steps has no effect.*ranking = "network"',
        ),
        ({"ranking": "likelihood", "network": "other"}, "network has no effect"),
        ({"descent_steps": 5, "keep": "a.cif"}, "would move what keep gives"),
        ({"descent_steps": 5, "sites": {"Sr": "a"}}, "would move what sites gives"),
    ],
)
def test_keys_without_effect_are_refused(keys: dict[str, object], words: str) -> None:
    with pytest.raises((ValueError, InputError), match=words):
        named("wyckoff-language", **keys)


def test_a_descent_is_refused_where_the_space_names_groups() -> None:
    space = replace(space_of("SrTiO3", 5), space_groups=(221,))
    with pytest.raises(InputError, match="descent_steps does not keep the symmetry"):
        named("wyckoff-language", descent_steps=5).build(GeneratorContext(space))


def test_settings_are_read_again_as_they_were_written() -> None:
    settings = named("wyckoff-language", ranking="likelihood")
    assert named(**settings.model_dump(mode="json")) == settings
