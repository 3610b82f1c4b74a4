"""The shipped structures and published figures are what they say."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from nucleate.benchmark.compounds import (
    COMPOUNDS,
    MAX_ATOMS,
    compound_named,
    compound_of,
    reference_structure,
)
from nucleate.benchmark.paper import paper_energies, paper_speedups
from nucleate.crystal.composition import Composition
from nucleate.crystal.symmetry import space_group
from nucleate.errors import InputError

SPACE_GROUPS = {
    "Ca3Ti2O7": 36, "CoAs2": 14, "Cu7S4": 62, "Mn": 217, "Pb5As3O12Cl": 176,
    "Si6Al6B3Fe3NaO30F": 160, "WCl2": 64, "YWB4": 55,
}  # fmt: skip
KNOWN = [compound for compound in COMPOUNDS if compound.is_known]


def test_eight_known_and_three_hypothetical():
    assert len(COMPOUNDS) == 11
    assert {compound.name for compound in KNOWN} == set(SPACE_GROUPS)


@pytest.mark.parametrize("compound", KNOWN, ids=lambda compound: compound.name)
def test_references_have_composition_size_and_space_group_of_the_literature(compound):
    crystal = reference_structure(compound)
    composition = Composition.from_formula(compound.name)
    assert composition.formula_units_of(crystal.numbers) == compound.units
    assert crystal.n_atoms <= MAX_ATOMS
    assert space_group(crystal, 0.01)[0] == SPACE_GROUPS[compound.name]
    assert compound_of(crystal) is compound


@pytest.mark.parametrize("compound", KNOWN, ids=lambda compound: compound.name)
def test_every_reference_file_names_its_source(compound):
    file = resources.files("nucleate.benchmark").joinpath(f"data/targets/{compound.name}.cif")
    head = [line for line in file.read_text("utf-8").splitlines() if line.startswith("#")]
    assert any("AMCSD" in line or "Materials Project" in line for line in head)
    assert "AMCSD" in compound.reference or "Materials Project" in compound.reference


def test_hypothetical_compounds_have_no_reference():
    assert all(reference_structure(item) is None for item in COMPOUNDS if not item.is_known)


def test_the_paper_gives_four_energies_of_each_compound():
    energies = paper_energies()
    for compound in COMPOUNDS:
        names = {name for formula, name in energies if formula == compound.name}
        assert {"fgen", "fgen-SPP", "mlgen", "mlgen-SPP"} <= names
    assert all(-10.0 < energy < -3.0 for energy in energies.values())
    assert paper_speedups()["mean", "mlgen-SPP"] == pytest.approx(3.8)


def test_unknown_names_are_refused_and_foreign_crystals_are_of_no_compound():
    with pytest.raises(InputError, match="NaCl"):
        compound_named("NaCl")
    reference = reference_structure(compound_named("Mn"))
    assert compound_of(reference.replace(numbers=np.full(29, 26))) is None
