"""Which tier of a ladder ranks single points."""

from __future__ import annotations

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from nucleate.crystal.crystal import Crystal
from nucleate.relax.settings import TierSettings
from nucleate.run.scoring import first_single_points


def tier(name, **engine):
    return TierSettings.model_validate({"name": name, "engine": engine})


def test_the_first_tier_that_can_rank_is_used():
    atoms = bulk("Cu", "fcc", a=3.6)
    rough = tier("rough", kind="spp")
    exact = tier("emt", kind="ase", calculator="ase.calculators.emt:EMT")
    score = first_single_points((rough, exact))
    assert score is not None
    atoms.calc = EMT()
    expected = atoms.get_potential_energy() / len(atoms)
    np.testing.assert_allclose(score([Crystal.from_ase(atoms)]), [expected], atol=1e-6)


def test_a_ladder_without_such_a_tier_ranks_nothing():
    assert first_single_points((tier("rough", kind="spp"),)) is None
