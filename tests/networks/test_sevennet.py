"""SevenNet as one graph a batch, against the package's own ASE calculator."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch
from nucleate.errors import InputError

pytest.importorskip("sevenn")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "modal"), [("7net-0", None), ("7net-mf-0", "R2SCAN")])
def test_a_batch_agrees_with_the_calculator(name: str, modal: str | None) -> None:
    from sevenn.calculator import SevenNetCalculator

    from nucleate.networks.kinds.sevennet import SevenNet

    crystals = []
    for k, atoms in enumerate([bulk("NaCl", "rocksalt", a=5.5), bulk("Cu") * (2, 1, 1)]):
        atoms.rattle(0.1, seed=k)
        crystals.append(Crystal.from_ase(atoms))
    found = SevenNet(name, modal=modal).evaluate(batch := Batch.of(crystals))
    calculator = SevenNetCalculator(name, device="cpu", modal=modal)
    for k, crystal in enumerate(crystals):
        atoms = crystal.to_ase()
        atoms.calc = calculator
        own = slice(batch.start[k], batch.start[k + 1])
        assert found.energies[k] == pytest.approx(atoms.get_potential_energy(), abs=2e-5)
        np.testing.assert_allclose(found.forces[own], atoms.get_forces(), atol=1e-4)
        np.testing.assert_allclose(found.stresses[k], atoms.get_stress(voigt=False), atol=1e-5)


def test_a_modal_that_the_model_lacks_is_an_input_error() -> None:
    from nucleate.networks.kinds.sevennet import SevenNet

    with pytest.raises(InputError, match=r"engine\.modal"):
        SevenNet("7net-0", modal="PBE")
