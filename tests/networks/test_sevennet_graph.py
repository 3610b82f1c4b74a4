"""How SevenNet's adapter hands a batch to its package and reads the answer, with a stand-in.

The stand-in has what the adapter takes of ``sevenn`` (0.13): keys, the graph's class, and a
network, here of pairs; test_sevennet.py runs the package itself where it is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks.kinds import sevennet as kind
from nucleate.networks.kinds.sevennet import CHECKPOINTS, SevenNet, SevennetSettings, _modal

KEYS = {
    "ATOMIC_NUMBERS": "numbers", "EDGE_VEC": "vectors", "NUM_ATOMS": "sizes",
    "CELL_VOLUME": "volumes", "BATCH": "batch", "DATA_MODALITY": "modality",
    "PRED_TOTAL_ENERGY": "energy", "PRED_FORCE": "forces", "PRED_STRESS": "stress",
}  # fmt: skip
CUTOFF = 4.0


class Pairs:
    """Pairs of atoms with the energy (1 - d / cutoff)² of each direction; keeps its inputs."""

    type_map = {number: number for number in range(1, 90)}  # noqa: RUF012
    cutoff = CUTOFF
    modal_map: dict[str, int] | None = None

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def set_is_batch_data(self, value: bool) -> None:
        assert value

    def to(self, device: str) -> Pairs:
        assert device == "cpu"
        return self

    def eval(self) -> Pairs:
        return self

    def requires_grad_(self, value: bool) -> Pairs:
        assert not value
        return self

    def __call__(self, data: dict[str, Any]) -> dict[str, torch.Tensor]:
        self.seen.append(data)
        vectors, (start, end) = data["vectors"].double(), data["edge_index"]
        owner, n_crystals = data["batch"][start], len(data["sizes"])
        length = vectors.norm(dim=1)
        gap = 1.0 - length / CUTOFF
        energy = torch.zeros(n_crystals).double().index_add(0, owner, gap.square())
        slope = (-2.0 * gap / CUTOFF / length)[:, None] * vectors
        forces = torch.zeros(len(data["batch"]), 3).double()
        forces = forces.index_add(0, start, slope).index_add(0, end, slope, alpha=-1.0)
        virial = torch.zeros(n_crystals, 3, 3).double()
        virial = virial.index_add(0, owner, vectors[:, :, None] * slope[:, None, :])
        pressure = -virial / data["volumes"].double()[:, None, None]
        places = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))  # xx, yy, zz, xy, yz, zx
        stress = torch.stack([pressure[:, i, j] for i, j in places], dim=1)
        return {"energy": energy, "forces": forces, "stress": stress}


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pairs:
    """Put modules in the place of the package, and files in that of its weights."""
    pairs = Pairs()
    modules = {
        "sevenn": {},
        "sevenn._keys": KEYS,
        "sevenn.atom_graph_data": {"AtomGraphData": dict},
        "sevenn.checkpoint": {
            "SevenNetCheckpoint": lambda path: SimpleNamespace(build_model=lambda: pairs)
        },
    }
    for name, content in modules.items():
        module = ModuleType(name)
        for key, value in content.items():
            setattr(module, key, value)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(sys.modules["sevenn"], "_keys", sys.modules["sevenn._keys"], raising=False)
    for folder in CHECKPOINTS.values():
        path = tmp_path / "pretrained_potentials" / folder / "checkpoint.pth"
        path.parent.mkdir(parents=True)
        path.write_text(folder)
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(kind, "util", SimpleNamespace(find_spec=lambda _: spec))
    monkeypatch.setattr(kind, "metadata", SimpleNamespace(version=lambda _: "0.13.0"))
    return pairs


def crystal_of(seed: int, n_atoms: int) -> Crystal:
    rng = np.random.default_rng(seed)
    cell = 2.6 * np.eye(3) + np.tril(rng.uniform(-0.8, 0.8, (3, 3)))
    return Crystal(rng.integers(1, 89, n_atoms), cell, rng.random((n_atoms, 3)))


CRYSTALS = [crystal_of(1, 2), crystal_of(2, 1), crystal_of(3, 3)]


def test_every_bond_goes_both_ways_between_atoms_of_one_crystal(network: Pairs) -> None:
    SevenNet().evaluate(batch := Batch.of(CRYSTALS))
    (data,) = network.seen
    start, end = data["edge_index"].numpy()
    vectors = data["vectors"].numpy()
    owner = data["batch"].numpy()
    assert owner.tolist() == [0, 0, 1, 2, 2, 2]
    assert np.array_equal(owner[start], owner[end])
    there = sorted(map(tuple, np.column_stack([start, end, np.round(vectors, 4)]).tolist()))
    back = sorted(map(tuple, np.column_stack([end, start, np.round(-vectors, 4)]).tolist()))
    np.testing.assert_allclose(there, back)
    gaps = np.linalg.solve(
        batch.cells[owner[start]].transpose(0, 2, 1),
        (vectors + batch.positions[start] - batch.positions[end])[:, :, None],
    )[:, :, 0]
    np.testing.assert_allclose(gaps, np.round(gaps), atol=1e-5)
    np.testing.assert_array_equal(data["numbers"].numpy(), batch.numbers)
    np.testing.assert_allclose(data["volumes"].numpy(), batch.volumes, rtol=1e-6)
    assert "modality" not in data


def test_forces_and_stress_come_back_in_the_signs_and_order_of_ase(network: Pairs) -> None:
    model, crystal, step = SevenNet(), CRYSTALS[2], 1e-3
    found = model.evaluate(Batch.of([crystal]))
    rng = np.random.default_rng(4)
    move, strain = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)
    ends = [
        Crystal.from_positions(crystal.numbers, crystal.cell, crystal.positions + s * step * move)
        for s in (1, -1)
    ] + [crystal.replace(cell=crystal.cell @ (np.eye(3) + s * step * strain)) for s in (1, -1)]
    energies = model.evaluate(Batch.of(ends)).energies
    by_move, by_strain = (energies[::2] - energies[1::2]) / (2 * step)
    assert -np.vdot(found.forces, move) == pytest.approx(by_move, rel=1e-2, abs=1e-3)
    expected = crystal.volume * np.vdot(found.stresses[0], strain)
    assert expected == pytest.approx(by_strain, rel=1e-2, abs=1e-3)


def test_a_batch_is_its_crystals_one_by_one(network: Pairs) -> None:
    model = SevenNet()
    together = model.evaluate(batch := Batch.of(CRYSTALS))
    for k, crystal in enumerate(CRYSTALS):
        alone = model.evaluate(Batch.of([crystal]))
        own = slice(batch.start[k], batch.start[k + 1])
        assert together.energies[k] == pytest.approx(alone.energies[0], abs=1e-5)
        np.testing.assert_allclose(together.forces[own], alone.forces, atol=1e-5)
        np.testing.assert_allclose(together.stresses[k], alone.stresses[0], atol=1e-6)


def test_levels_tell_models_and_functionals_apart(network: Pairs) -> None:
    levels = [SevenNet(model).level for model in CHECKPOINTS]
    network.modal_map = {"PBE": 0, "R2SCAN": 1}
    levels += [SevenNet("7net-mf-0", modal=modal).level for modal in ("PBE", "R2SCAN")]
    assert len(set(levels)) == 5
    assert levels[-1].model == "7net-mf-0/R2SCAN"
    model = SevennetSettings(model="7net-mf-0").build(None)  # type: ignore[arg-type]
    assert model.level == levels[3]
    model.evaluate(Batch.of(CRYSTALS[:2]))
    assert network.seen[-1]["modality"] == ["PBE", "PBE"]
    assert model.elements == set(range(1, 90))
    assert model.cutoff == CUTOFF


@pytest.mark.parametrize(
    ("modal", "known", "chosen"),
    [(None, None, None), (None, {"PBE": 0}, "PBE"), ("R2SCAN", {"PBE": 0, "R2SCAN": 1}, "R2SCAN")],
)
def test_functionals_by_name(modal: str | None, known: dict | None, chosen: str | None) -> None:
    assert _modal("7net-mf-0", modal, known) == chosen


def test_what_is_missing_or_wrong_is_said_before_weights_are_read(network, monkeypatch) -> None:
    with pytest.raises(InputError, match=r"modal = 'PBE': 7net-0 has no modals. Leave it out, or"):
        SevenNet("7net-0", modal="PBE")
    with pytest.raises(InputError, match=r"'R2SCAN' is none of m's. Use one of \['PBE'\]"):
        _modal("m", "R2SCAN", {"PBE": 0})
    with pytest.raises(InputError, match=r"device = 'cuda:7'"):
        SevenNet(device="cuda:7")
    for spec in (SimpleNamespace(submodule_search_locations=["/nowhere"]), None):
        monkeypatch.setattr(kind, "util", SimpleNamespace(find_spec=lambda _, found=spec: found))
        with pytest.raises(MissingDependencyError, match=r'pip install "nucleate\[sevennet\]"'):
            SevenNet()


def test_a_full_device_is_a_memory_error(network: Pairs, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    model = SevenNet()
    monkeypatch.setattr(model, "_network", full)
    with pytest.raises(MemoryError, match="out of memory"):
        model.evaluate(Batch.of(CRYSTALS))
