"""Oxidation states that are given for a field of end members."""

from __future__ import annotations

import pytest

from nucleate.errors import InputError
from nucleate.mapping.field import field_of
from nucleate.mapping.settings import FieldSettings


def field(system, **states):
    data = {"system": system, "oxidation_states": states, "max_atoms_per_formula": 9}
    return field_of(FieldSettings.model_validate(data))


@pytest.mark.parametrize(
    ("system", "states"),
    [("SrO-TiO2", {"Ti": 3}), ("SrO-TiO2", {"Sr": 2, "Ti": [2, 3]}), ("Li2O-SnO", {"Sn": 4})],
)
def test_states_that_fit_no_mixture_are_refused(system, states):
    with pytest.raises(InputError, match=r"field\.oxidation_states: .* fits no .*leave it out"):
        field(system, **states)


@pytest.mark.parametrize(
    ("system", "states"),
    [("SrO-TiO2", {"Ti": 4}), ("Ti2O3-TiO2", {"Ti": [3, 4]}), ("Li2O-SnO2", {"Sn": 4, "O": -2})],
)
def test_states_that_fit_are_taken(system, states):
    assert len(field(system, **states).inner)
