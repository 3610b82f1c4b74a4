"""Keys that do not fit each other are refused with the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from nucleate.errors import InputError
from nucleate.moves.table import PRESETS
from nucleate.run.settings import RunSettings

HOP = {"kind": "basin-hopping"}


def only(**weights: float) -> dict[str, float]:
    return dict.fromkeys(PRESETS["fuse2"], 0.0) | {
        name.replace("_", "-"): weight for name, weight in weights.items()
    }


def read(problem: dict[str, Any], search: dict[str, Any]) -> RunSettings:
    data = {"problem": {"formula": "SrTiO3", **problem}, "search": search}
    settings = RunSettings.from_dict(data)
    assert RunSettings.from_dict(settings.to_dict()) == settings
    return settings


UNFIT = (
    (
        {"max_atoms": 5},
        {"moves": only(double=1)},
        r"moves: no move.*double needs a cell of 2.*= 10",
    ),
    ({"max_atoms": 10}, {"moves": only(triple=1)}, r"triple needs a cell of 3 .*max_atoms = 15 or"),
    ({"formula_units": [3, 5]}, {"moves": only(double=1)}, r"formula units are 3, 5 of SrTiO3"),
    ({"max_atoms": 5}, {**HOP, "melted_moves": only(double=1, triple=1)}, r"search\.melted_moves"),
    ({"formula": "Mn"}, {"moves": only(swap_two_atoms=1)}, r"swap-two-atoms needs two elements"),
    (
        {"formula": "Mn", "max_atoms": 1},
        {"moves": only(swap_two_atoms=1, double=1)},
        r"swap-two-atoms needs two elements and double needs a cell of 2 formula units",
    ),
    ({}, {**HOP, "melt_ceiling": 0.01}, r"melt_ceiling = 0\.01 is not above search\.temperature"),
    ({}, {**HOP, "temperature": 0.3}, r"melt_ceiling = 0\.2 is not above .* = 0\.3.*Raise"),
)
FITS = (
    ({"max_atoms": 10}, {"moves": only(double=1)}),
    ({"formula_units": [4]}, {"moves": only(double=1)}),
    ({"formula_units": [3]}, {"moves": only(triple=1, double=1)}),
    ({"max_atoms": 5}, {"moves": only(double=1, swap_two_atoms=1)}),
    ({"max_atoms": 5}, {"moves": {"double": 2.0}}),
    ({}, {**HOP, "temperature": 0.3, "melt_step": 0.0}),
    ({}, {"kind": "swarm", "swarm_fraction": 0.0}),
)


@pytest.mark.parametrize(("problem", "search", "message"), UNFIT, ids=[item[2] for item in UNFIT])
def test_keys_that_do_not_fit_are_refused(problem, search, message) -> None:
    with pytest.raises(InputError, match=message):
        read(problem, search)


@pytest.mark.parametrize(("problem", "search"), FITS, ids=str)
def test_keys_that_fit_are_taken(problem, search) -> None:
    read(problem, search)


def test_every_kind_that_has_a_key_is_named() -> None:
    three = "'basin-hopping', 'evolution' or 'lowest-minima', not of kind = 'swarm'"
    with pytest.raises(InputError, match=three):
        read({}, {"kind": "swarm", "new_fraction": 0.1})
