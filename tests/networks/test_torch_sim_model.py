"""The adapter of torch-sim with a tiny model and a stand-in for the package's state.

The stand-in has the arguments of ``torch_sim.SimState`` that the adapter fills in (torch-sim
0.6); test_torch_sim.py runs the package itself where it is installed.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nucleate.crystal.crystal import Crystal
from nucleate.energy.engine import EngineContext
from nucleate.energy.level import LevelOfTheory
from nucleate.energy.model import Batch
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.kinds import torch_sim as kind
from nucleate.networks.kinds.torch_sim import TorchSimModel, TorchSimSettings

HERE = __name__
CONTEXT = EngineContext()
LEVEL = LevelOfTheory("torch-sim", "0", "tests")
CELL = np.array([[3.0, 0.0, 0.0], [0.7, 3.4, 0.0], [-0.4, 0.9, 3.8]])


class Springs:
    """Bonds between all atoms of a crystal within the cell, and a bulk modulus.

    Parameters
    ----------
    stiffness
        eV/Å².
    """

    def __init__(self, stiffness: float = 1.0, dtype: str = "float64", **more: Any) -> None:
        self.stiffness = stiffness
        self.device, self.dtype = torch.device("cpu"), getattr(torch, dtype)
        self.states: list[Any] = []
        for name, value in more.items():
            setattr(self, name, value)

    def __call__(self, state: Any) -> dict[str, torch.Tensor]:
        self.states.append(state)
        owner, places = state.system_idx, state.positions
        n_systems = len(state.cell)
        bonded = torch.triu(owner[:, None] == owner[None, :], diagonal=1)
        one, other = bonded.nonzero(as_tuple=True)
        gap = places[one] - places[other]
        energy = torch.zeros(n_systems, dtype=self.dtype)
        energy.index_add_(0, owner[one], 0.5 * self.stiffness * gap.square().sum(1))
        forces = torch.zeros_like(places)
        forces.index_add_(0, one, -self.stiffness * gap)
        forces.index_add_(0, other, self.stiffness * gap)
        virial = torch.zeros(n_systems, 3, 3, dtype=self.dtype)
        virial.index_add_(0, owner[one], self.stiffness * gap.unsqueeze(2) * gap.unsqueeze(1))
        volume = torch.linalg.det(state.cell).abs()
        return {"energy": energy, "forces": forces, "stress": virial / volume[:, None, None]}


@pytest.fixture(autouse=True)
def package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module with the state's class where torch-sim would be."""
    module = ModuleType("torch_sim")
    names = ("positions", "masses", "cell", "pbc", "atomic_numbers", "system_idx")

    def state(**values: Any) -> SimpleNamespace:
        assert set(values) == set(names)
        return SimpleNamespace(**values)

    module.SimState = state  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_sim", module)
    monkeypatch.setattr(kind, "util", SimpleNamespace(find_spec=lambda _: module))
    monkeypatch.setattr(kind, "metadata", SimpleNamespace(version=lambda _: "0.6.0"))


def crystal_of(seed: int, n_atoms: int) -> Crystal:
    rng = np.random.default_rng(seed)
    return Crystal(rng.integers(1, 90, n_atoms), CELL, rng.random((n_atoms, 3)))


CRYSTALS = [crystal_of(1, 3), crystal_of(2, 1), crystal_of(3, 4)]


def built(**options: Any) -> TorchSimModel:
    return TorchSimSettings(model=f"{HERE}:Springs", options=options).build(CONTEXT)


def test_the_state_is_the_batch_with_lattice_vectors_in_columns() -> None:
    model = built()
    batch = Batch.of(CRYSTALS)
    model.evaluate(batch)
    (state,) = model._model.states
    np.testing.assert_array_equal(state.positions.numpy(), batch.positions)
    np.testing.assert_array_equal(state.cell.numpy().transpose(0, 2, 1), batch.cells)
    np.testing.assert_array_equal(state.atomic_numbers.numpy(), batch.numbers)
    assert state.system_idx.tolist() == [0] * 3 + [1] + [2] * 4
    assert state.pbc is True
    assert len(state.masses) == batch.numbers.size
    for part in (state.positions, state.cell, state.masses):
        assert part.dtype == torch.float64


def test_a_batch_is_its_crystals_one_by_one() -> None:
    model = built(stiffness=0.7)
    together = model.evaluate(batch := Batch.of(CRYSTALS))
    for k, crystal in enumerate(CRYSTALS):
        alone = model.evaluate(Batch.of([crystal]))
        own = slice(batch.start[k], batch.start[k + 1])
        assert together.energies[k] == pytest.approx(alone.energies[0])
        np.testing.assert_allclose(together.forces[own], alone.forces)
        np.testing.assert_allclose(together.stresses[k], alone.stresses[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_are_in_double_precision_and_slopes_of_the_energy(dtype: str) -> None:
    model, crystal = built(dtype=dtype), CRYSTALS[0]
    found = model.evaluate(Batch.of([crystal]))
    for part in (found.energies, found.forces, found.stresses):
        assert part.dtype == np.float64
    step = 1e-2 if dtype == "float32" else 1e-5
    strain = step * np.array([[1.0, 0.5, 0.0], [0.5, -0.3, 0.2], [0.0, 0.2, 0.4]])
    ends = [crystal.replace(cell=CELL @ (np.eye(3) + s * strain)) for s in (1, -1)]
    up, down = model.evaluate(Batch.of(ends)).energies
    expected = crystal.volume * np.vdot(found.stresses[0], strain / step)
    assert (up - down) / (2 * step) == pytest.approx(expected, rel=1e-3)


def test_energies_with_a_column_of_their_own_are_flattened() -> None:
    model = built()
    springs = model._model

    def columns(state: Any) -> dict[str, torch.Tensor]:
        found = springs(state)
        return {**found, "energy": found["energy"][:, None].requires_grad_()}

    columns.device, columns.dtype = springs.device, springs.dtype  # type: ignore[attr-defined]
    found = TorchSimModel(columns, LEVEL, 6.0).evaluate(Batch.of(CRYSTALS))
    np.testing.assert_array_equal(found.energies, model.evaluate(Batch.of(CRYSTALS)).energies)


@pytest.mark.parametrize("switch", ["compute_forces", "compute_stress"])
def test_a_model_without_forces_or_stress_is_refused(switch: str) -> None:
    assert built(**{switch: True}).batch_atoms == 80
    with pytest.raises(InputError, match=r"compute_forces = true and compute_stress = true to its"):
        built(**{switch: False})


@pytest.mark.parametrize(
    ("path", "options", "words"),
    [
        ("builtins:dict", {}, "gives a dict, not a model of torch-sim. Correct the import path"),
        (f"{HERE}:crystal_of", {"seed": 1, "n_atoms": 2}, "gives a Crystal, not a model"),
        (f"{HERE}:Spring", {}, "has no Spring. Correct the path"),
        (f"{HERE}:crystal_of", {"seeds": 1}, "do not fit"),
        ("Springs", {}, "Write it like torch_sim.models.lennard_jones:LennardJonesModel"),
    ],
)
def test_paths_that_give_no_model_are_refused(path: str, options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        TorchSimSettings(model=path, options=options).build(CONTEXT)


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "util", SimpleNamespace(find_spec=lambda _: None))
    with pytest.raises(MissingDependencyError, match=r'3\.12 or later: pip install "nucleate\[tor'):
        built()


def test_levels_of_theory_tell_options_apart() -> None:
    one, other = built(stiffness=1.0).level, built(stiffness=2.0).level
    assert one != other
    assert built(stiffness=1.0).level == one
    assert (one.code, one.version, one.model) == ("torch-sim", "0.6.0", f"{HERE}:Springs")


def test_a_full_device_is_a_memory_error() -> None:
    def full(_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    full.device, full.dtype = torch.device("cpu"), torch.float32  # type: ignore[attr-defined]
    with pytest.raises(MemoryError, match="CUDA out of memory"):
        TorchSimModel(full, LEVEL, 6.0).evaluate(Batch.of(CRYSTALS))


def test_a_gpu_takes_larger_batches() -> None:
    springs = Springs()
    springs.device = torch.device("cuda:0")
    assert TorchSimModel(springs, LEVEL, 6.0).batch_atoms == 4000
