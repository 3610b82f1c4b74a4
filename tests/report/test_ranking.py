"""The ranked list: what is one structure, what comes first, and what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.report.conftest import PROXY, emt_outcome

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError
from nucleate.relax.outcome import Failed, FailReason
from nucleate.report.content import read_run, tiers_of
from nucleate.report.export import safe_name
from nucleate.report.ranking import rank_structures
from nucleate.report.rows import file_rows
from nucleate.report.series import write_series
from nucleate.run.listed_files import FileCrystal
from nucleate.search.record import Record, SearchUpdate, TierOutcome

COPPER = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
BASE = emt_outcome(COPPER)


def record(number: int, duplicate_of: int | None = None, **energies: float) -> Record:
    """Return a record with an enthalpy per tier."""
    steps = tuple(
        TierOutcome(tier, replace(BASE, energy=energy, enthalpy=energy))
        for tier, energy in energies.items()
    )
    return Record(number, Candidate(COPPER, Origin("blocks")), steps, duplicate_of)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12, unique=True))
def test_lowest_first_and_above_best_is_the_difference(energies: list[float]) -> None:
    records = [record(number, a=energy) for number, energy in enumerate(energies)]
    ranked = rank_structures(records, ["a"])
    assert [item.relaxed.enthalpy for item in ranked] == sorted(energies)
    assert [item.rank for item in ranked] == list(range(1, len(energies) + 1))
    assert ranked[0].above_best == 0.0
    for item in ranked:
        assert item.above_best == pytest.approx(item.relaxed.enthalpy - min(energies))


@settings(max_examples=30)
@given(st.permutations(range(6)))
def test_the_order_of_the_records_does_not_matter(order: list[int]) -> None:
    records = [record(number, a=-float(number % 4)) for number in range(6)]
    expected = [item.record.number for item in rank_structures(records, ["a"])]
    shuffled = [records[place] for place in order]
    assert [item.record.number for item in rank_structures(shuffled, ["a"])] == expected


def test_copies_of_copies_are_one_structure_at_its_lowest() -> None:
    records = [
        record(0, a=-1.0),
        record(1, duplicate_of=0, a=-1.2),
        record(2, duplicate_of=1, a=-1.1),
        record(3, a=-0.5),
    ]
    ranked = rank_structures(records, ["a"])
    assert [(item.record.number, item.copies) for item in ranked] == [(1, 3), (3, 1)]


def test_a_ring_of_copies_ends() -> None:
    records = [record(0, duplicate_of=1, a=-1.0), record(1, duplicate_of=0, a=-2.0)]
    assert len(rank_structures(records, ["a"])) >= 1


def test_a_higher_tier_comes_first_whatever_its_energy() -> None:
    records = [record(0, a=-9.0), record(1, a=-1.0, b=5.0), record(2, a=-2.0, b=4.0)]
    ranked = rank_structures(records, ["a", "b"])
    assert [item.record.number for item in ranked] == [2, 1, 0]
    assert [item.tier for item in ranked] == ["b", "b", "a"]
    assert [item.above_best for item in ranked] == [0.0, 1.0, 0.0]


def test_a_failure_above_is_kept_with_the_structure() -> None:
    failed = TierOutcome("b", Failed(FailReason.TIMEOUT, "too slow"))
    good = record(0, a=-1.0)
    (item,) = rank_structures([replace(good, outcomes=(*good.outcomes, failed))], ["a", "b"])
    assert item.tier == "a"
    assert item.failed is failed


def test_records_without_energy_are_left_out_and_best_limits() -> None:
    failed = replace(record(0), outcomes=(TierOutcome("a", Failed(FailReason.TIMEOUT, "")),))
    records = [failed, *(record(number, a=-float(number)) for number in range(1, 5))]
    assert len(rank_structures(records, ["a"])) == 4
    assert [item.record.number for item in rank_structures(records, ["a"], best=2)] == [4, 3]
    assert rank_structures([], ["a"]) == []


def test_a_ranked_structure_shows_and_converts_itself() -> None:
    (item,) = rank_structures([record(0, a=-1.0)], ["a"])
    assert repr(item) == "RankedStructure(1: Cu Fm-3m, -1.0000 eV/atom by a, 1 atoms)"
    assert item.space_group == "Fm-3m"
    assert item.crystal is item.relaxed.crystal
    assert item.to_ase().get_potential_energy() == -1.0
    assert item.to_pymatgen().properties["energy"] == -1.0
    proxy = replace(BASE, level=PROXY)
    steps = (TierOutcome("a", proxy),)
    (other,) = rank_structures([replace(record(0), outcomes=steps)], ["a"])
    assert "(arbitrary)" in repr(other)
    assert other.to_ase().calc is None


def test_tiers_follow_the_ladder_or_the_records() -> None:
    told = [(record(0, a=1.0, b=2.0), SearchUpdate()), (record(1, a=1.0), SearchUpdate())]
    assert tiers_of(told, ["b", "a", "c"]) == ("b", "a")
    assert tiers_of(told, []) == ("a", "b")
    assert tiers_of([], ["a"]) == ()


def test_names_of_tiers_as_names_of_files() -> None:
    assert safe_name("vasp PBE/500 eV").startswith("vasp_PBE_500_eV~")
    assert safe_name("vasp PBE/500 eV") != safe_name("vasp PBE 500 eV")
    assert safe_name("7net-l3i5_v1.0") == "7net-l3i5_v1.0"


def test_files_of_a_series(tmp_path: Path) -> None:
    items = [FileCrystal("a.cif", "a", COPPER), FileCrystal("b.cif", "b", InputError("broken"))]
    tally = write_series(tmp_path, file_rows(items, {0: record(0, a=-1.0)}))
    assert (tally.number, tally.good, dict(tally.failures)) == (2, 1, {"invalid": 1})
    lines = (tmp_path / "relaxed.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert "energy_ev_per_atom" in lines[0].split(",")
    assert ",failed," in lines[2]
    from ase.db import connect
    from ase.io import read

    (frame,) = read(tmp_path / "relaxed.extxyz", ":")
    assert frame.info["name"] == "a"
    np.testing.assert_allclose(frame.get_forces(), BASE.forces, atol=1e-9)
    (row,) = connect(tmp_path / "relaxed.db").select()
    assert row.energy == -1.0


def test_a_series_is_not_a_search(tmp_path: Path) -> None:
    from nucleate.run.store import Store

    with Store.create(tmp_path, {"kind": "relax", "formula": "files", "seed": 0}):
        pass
    with pytest.raises(InputError, match="not a search"):
        read_run(tmp_path)
