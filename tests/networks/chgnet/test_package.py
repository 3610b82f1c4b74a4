"""All paths of CHGNet against the chgnet package, on crystals with and without angles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from ase.build import bulk

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch, BatchedModel
from nucleate.errors import InputError
from nucleate.networks.chgnet.checkpoint import load_checkpoint
from nucleate.networks.chgnet.models import build_chgnet, can_fuse
from nucleate.networks.chgnet.network import Network
from nucleate.networks.chgnet.parameters import parameters_of
from nucleate.networks.kinds.chgnet import ChgnetSettings

GPA = 160.21766208


def displaced(atoms, seed: int) -> Crystal:
    rng = np.random.default_rng(seed)
    atoms.rattle(0.08, rng=rng)
    atoms.set_cell(atoms.cell @ (np.eye(3) + 0.02 * rng.normal(size=(3, 3))), scale_atoms=True)
    return Crystal.from_ase(atoms)


CRYSTALS = {
    "oxide": displaced(bulk("FeO", "rocksalt", a=4.3, cubic=True), 1),
    "metal": displaced(bulk("U", "bcc", a=3.4), 2),
    "no angles": displaced(bulk("Cs", "bcc", a=6.1), 3),
    "hydride": displaced(bulk("LiH", "rocksalt", a=4.0), 4),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_energy_forces_and_stress_are_those_of_the_package(
    name: str, compiled_chgnet: BatchedModel, torch_chgnet: BatchedModel, package_chgnet
) -> None:
    crystal = CRYSTALS[name]
    expected = package_chgnet.predict_structure(crystal.to_pymatgen())
    for model in (compiled_chgnet, torch_chgnet):
        found = model.evaluate(Batch.of([crystal]))
        per_atom = found.energies[0] / crystal.n_atoms
        assert per_atom == pytest.approx(float(expected["e"]), abs=1e-5)
        np.testing.assert_allclose(found.forces, expected["f"], atol=2e-4)
        np.testing.assert_allclose(GPA * found.stresses[0], expected["s"], atol=2e-3)


@pytest.mark.parametrize("version", ["0.2.0", "r2scan"])
def test_the_other_checkpoints_agree_with_the_package(version: str) -> None:
    from chgnet.model import CHGNet

    reference = CHGNet.load(model_name=version, verbose=False, use_device="cpu")
    crystal = CRYSTALS["oxide"]
    expected = reference.predict_structure(crystal.to_pymatgen())
    for device in ("cpu", "torch-cpu"):
        found = build_chgnet(version, device).evaluate(Batch.of([crystal]))
        assert found.energies[0] / 8 == pytest.approx(float(expected["e"]), abs=1e-5)
        np.testing.assert_allclose(found.forces, expected["f"], atol=2e-4)


def test_the_package_agrees_on_the_energy_of_a_composition(
    compiled_chgnet: BatchedModel, package_chgnet
) -> None:
    reference = package_chgnet.composition_model.fc.weight.detach().numpy().ravel()
    energies = compiled_chgnet.composition_energies
    assert energies is not None
    np.testing.assert_allclose(energies[1:], reference, rtol=1e-6)
    assert compiled_chgnet.elements == set(range(1, len(energies)))


def test_single_precision_is_near_double(
    compiled_chgnet: BatchedModel, torch_chgnet: BatchedModel
) -> None:
    """The plain network in double precision says whose rounding a difference is."""
    exact = Network(parameters_of(load_checkpoint()), dtype=torch.float64)
    crystals = list(CRYSTALS.values())
    batch = Batch.of(crystals)
    graph, owner = torch_chgnet._graph(batch), torch_chgnet._owner(batch)  # type: ignore[attr-defined]
    energies, forces, virials = exact.evaluate(graph, batch.numbers, owner, batch.n_crystals)
    sizes = np.diff(batch.start)
    for model in (compiled_chgnet, torch_chgnet):
        found = model.evaluate(batch)
        np.testing.assert_allclose(found.energies / sizes, energies.numpy() / sizes, atol=3e-6)
        np.testing.assert_allclose(found.forces, forces.numpy(), atol=5e-5)
        stresses = virials.numpy() / batch.volumes[:, None, None]
        np.testing.assert_allclose(found.stresses, stresses, atol=5e-6)


def test_both_paths_have_the_same_level_of_theory(
    compiled_chgnet: BatchedModel, torch_chgnet: BatchedModel
) -> None:
    """A run that continues on another machine may mix their energies."""
    assert compiled_chgnet.level == torch_chgnet.level
    assert compiled_chgnet.level.model == "CHGNet-0.3.0"
    assert len(compiled_chgnet.level.checkpoint) == 16
    assert compiled_chgnet.cutoff == torch_chgnet.cutoff == 6.0
    assert compiled_chgnet.batch_atoms < torch_chgnet.batch_atoms


def test_settings_build_what_they_name(compiled_chgnet: BatchedModel, monkeypatch) -> None:
    assert ChgnetSettings().build(None).level == compiled_chgnet.level  # type: ignore[arg-type]
    other = ChgnetSettings(model="r2scan").build(None)  # type: ignore[arg-type]
    assert other.level.model == "CHGNet-r2scan"
    assert other.level.checkpoint != compiled_chgnet.level.checkpoint
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=r"device = 'cuda:0': torch sees no GPU here; use cpu"):
        ChgnetSettings(device="cuda:0").build(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="choose cpu, or cuda:0"):
        ChgnetSettings(device="tpu").build(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cuda", "triton", "capability", "fuses"),
    [
        ("13.0", True, (8, 0), True),
        ("13.0", True, (9, 0), True),
        ("13.0", True, (7, 5), False),
        ("13.0", False, (9, 0), False),
        (None, True, (9, 0), False),
    ],
)
def test_kernels_need_a_recent_gpu_and_triton(
    cuda: str | None, triton: bool, capability: tuple[int, int], fuses: bool, monkeypatch
) -> None:
    from nucleate.networks.chgnet import models

    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(models, "find_spec", lambda _: object() if triton else None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert can_fuse("cuda:0") is fuses
    assert not can_fuse("cpu")


def test_a_full_device_is_a_memory_error(torch_chgnet: BatchedModel, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch_chgnet._network, "evaluate", full)  # type: ignore[attr-defined]
    with pytest.raises(MemoryError, match="out of memory"):
        torch_chgnet.evaluate(Batch.of([CRYSTALS["metal"]]))
