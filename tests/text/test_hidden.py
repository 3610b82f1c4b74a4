"""Secrets stay out of pages and hand-offs."""

from __future__ import annotations

import pytest

from nucleate.errors import InputError
from nucleate.hidden import HIDDEN, without_secrets, without_values
from nucleate.programs.jobs import _export
from nucleate.programs.settings import ExternalSettings

INPUT = {"tier": [{"engine": {"environment": {"API_KEY": "abc", "OMP_NUM_THREADS": "2"}}}]}


def test_a_page_shows_no_value():
    found = without_values(INPUT)["tier"][0]["engine"]["environment"]
    assert found == {"API_KEY": HIDDEN, "OMP_NUM_THREADS": HIDDEN}


def test_a_manifest_shows_no_secret():
    found = without_secrets(INPUT)["tier"][0]["engine"]["environment"]
    assert found == {"API_KEY": HIDDEN, "OMP_NUM_THREADS": "2"}


@pytest.mark.parametrize("name", ["A;touch x;B", "1A", "A B", "", "A\n", "Ä"])
def test_no_command_can_stand_in_the_name_of_a_variable(name):
    with pytest.raises(InputError, match=r"engine\.environment"):
        _export(name, "1")
    with pytest.raises(ValueError, match="cannot be set as a variable"):
        ExternalSettings._are_variables({name: "1"})


def test_values_are_quoted_and_secrets_left_out():
    assert _export("A", "x; touch y") == "export A='x; touch y'"
    assert "abc" not in _export("API_TOKEN", "abc")
