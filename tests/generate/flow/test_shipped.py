"""The flow that comes with the package."""

from __future__ import annotations

import pytest
from ase.build import bulk

from nucleate.crystal.crystal import Crystal
from nucleate.crystal.fingerprint import fingerprint
from nucleate.crystal.known import KnownCrystals
from nucleate.generate.build import named
from nucleate.generate.context import GeneratorContext
from nucleate.generate.flow.checkpoint import FLOW
from nucleate.testing import check_generator
from nucleate.testing.common import space_of

pytest.importorskip("torch")
pytest.importorskip("safetensors")


def test_it_is_small_and_says_where_it_comes_from() -> None:
    path = FLOW.folder / f"{FLOW.shipped}.safetensors"
    assert path.stat().st_size < 10_000_000
    about = FLOW.load(FLOW.shipped).about
    assert "CC-BY 4.0" in about["licence"]
    assert "Materials Project" in about["licence"]
    assert "eleven benchmark compositions" in about["notes"]


def test_random_atoms_become_rock_salt() -> None:
    settings = named("flow", number=8, steps=20)
    members = settings.build(GeneratorContext(space_of("NaCl", 2))).members
    seen = KnownCrystals()
    salt = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.69))
    for place, member in enumerate(members[:4]):
        expected = salt.with_volume(member.crystal.volume)
        seen.add(place, fingerprint(member.crystal))
        if seen.matches(fingerprint(expected)):
            return
    pytest.fail("no rock salt among the first four")


@pytest.mark.slow
def test_it_keeps_the_contract_of_generators() -> None:
    check_generator(named("flow", number=6, steps=4), formula="TiO2", max_atoms=6)
