"""Potentials of other packages: how each calculator is made, and errors before any search.

The constructors are pinned with stand-in modules that record their arguments and take nothing
else than the packages' own signatures do (mace-torch 0.3.16, mattersim 1.2.3, orb-models 0.5.5
and 0.7.0, matgl 4.1.2, upet 0.3.1, tensorpotential 0.6.2.1, as read from their sources). The
slow test here runs MACE for real, those of test_mlip_packages.py the others.
"""

from __future__ import annotations

import sys
from importlib import util
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, MissingDependencyError
from nucleate.networks import mlip
from nucleate.plugins import find
from nucleate.relax.outcome import Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer

COPPER = Crystal.from_ase(bulk("Cu", "fcc", 3.7, cubic=True))


@pytest.fixture
def stand_in(monkeypatch):
    """Put modules with some content in the place of a package."""
    monkeypatch.setattr(mlip, "metadata", SimpleNamespace(version=lambda name: f"{name}-1.0"))
    monkeypatch.setattr(mlip, "util", SimpleNamespace(find_spec=lambda _: util.find_spec("numpy")))

    def put(**modules):
        for name, content in modules.items():
            dotted = name.replace("__", ".")
            parent = ""
            for part in dotted.split("."):
                path = f"{parent}.{part}" if parent else part
                if path not in sys.modules:
                    monkeypatch.setitem(sys.modules, path, ModuleType(path))
                if parent:
                    monkeypatch.setattr(sys.modules[parent], part, sys.modules[path], raising=False)
                parent = path
            for key, value in content.items():
                monkeypatch.setattr(sys.modules[dotted], key, value, raising=False)

    return put


class Recorder:
    """A class or function that keeps how it was called."""

    def __init__(self, result=None):
        self.calls = []
        self.result = result

    def __call__(self, *args, **kwargs):
        self.calls.append((args, kwargs))
        return EMT() if self.result is None else self.result


def tier(**engine):
    return TierSettings.model_validate({"name": "x", "relax": False, "engine": engine})


def evaluate(settings):
    ((_, outcome),) = relax_all(build_relaxer(settings), [(0, COPPER)])
    assert isinstance(outcome, Relaxed)
    atoms = COPPER.to_ase()
    atoms.calc = EMT()
    assert outcome.energy == pytest.approx(atoms.get_potential_energy())
    return outcome.level


def test_mace_by_name_and_by_file(stand_in, tmp_path):
    mace_mp, by_file = Recorder(), Recorder()
    stand_in(mace__calculators={"mace_mp": mace_mp, "MACECalculator": by_file})
    level = evaluate(tier(kind="mace"))
    common = {"device": "cpu", "default_dtype": "float64"}
    assert mace_mp.calls == [((), {"model": "medium-mpa-0", **common})]
    assert (level.code, level.version, level.model) == (
        "mace-torch", "mace-torch-1.0", "medium-mpa-0",
    )  # fmt: skip
    path = tmp_path / "own.model"
    path.write_bytes(b"one")
    first = evaluate(tier(kind="mace", model=str(path), dtype="float32", head="pbe"))
    assert by_file.calls == [
        ((), {"model_paths": str(path), "device": "cpu", "default_dtype": "float32", "head": "pbe"})
    ]
    path.write_bytes(b"two")
    second = evaluate(tier(kind="mace", model=str(path), dtype="float32", head="pbe"))
    assert first.model == second.model == "own.model"
    assert first.checkpoint != second.checkpoint


def test_mattersim(stand_in):
    made = Recorder()
    stand_in(mattersim__forcefield={"MatterSimCalculator": made})
    evaluate(tier(kind="mattersim", device="cuda:1"))
    assert made.calls == [((), {"load_path": "mattersim-v1.0.0-5m", "device": "cuda:1"})]


def test_orb_before_and_after_its_interface_changed(stand_in):
    old, new = Recorder(), Recorder()
    load = Recorder("network")
    models = {"orb-v3-conservative-inf-omat": load}
    stand_in(
        orb_models__forcefield__pretrained={"ORB_PRETRAINED_MODELS": models},
        orb_models__forcefield__calculator={"ORBCalculator": old},
        orb_models__forcefield__inference__calculator={"ORBCalculator": new},
    )
    evaluate(tier(kind="orb", checkpoint=None))
    assert load.calls == [((), {"device": "cpu", "precision": "float64", "compile": False})]
    assert old.calls == [(("network",), {"device": "cpu"})]
    models["orb-v3-conservative-inf-omat"] = Recorder(("network", "adapter"))
    evaluate(tier(kind="orb"))
    assert new.calls == [(("network", "adapter"), {"device": "cpu"})]
    with pytest.raises(InputError, match="orb-v9"):
        build_relaxer(tier(kind="orb", model="orb-v9"))


def test_matgl_gives_stress_in_the_unit_of_ase(stand_in):
    made, load = Recorder(), Recorder("potential")
    stand_in(matgl={"load_model": load}, matgl__ext__ase={"PESCalculator": made})
    evaluate(tier(kind="matgl", model="M3GNet-PES"))
    assert load.calls == [(("M3GNet-PES",), {})]
    assert made.calls == [(("potential",), {"stress_unit": "eV/A3"})]


def test_upet_by_name_and_by_file(stand_in, tmp_path):
    import torch

    made = Recorder()
    stand_in(upet__ase={"UPETCalculator": made})
    evaluate(tier(kind="upet", model="pet-mad-s", version="1.6.0"))
    common = {"dtype": torch.float64, "device": "cpu"}
    assert made.calls == [((), {"model": "pet-mad-s", "version": "1.6.0", **common})]
    path = tmp_path / "own.ckpt"
    path.write_bytes(b"weights")
    evaluate(tier(kind="upet", model=str(path)))
    assert made.calls[1] == ((), {"checkpoint_path": str(path), **common})


def test_grace_by_name_and_by_folder(stand_in, tmp_path):
    by_name, by_path = Recorder(), Recorder()
    stand_in(tensorpotential__calculator={"grace_fm": by_name, "TPCalculator": by_path})
    evaluate(tier(kind="grace"))
    assert by_name.calls == [(("GRACE-2L-OAM",), {})]
    (tmp_path / "variables").mkdir()
    checkpoints = set()
    for weights in ("one", "two"):
        (tmp_path / "variables" / "data").write_text(weights)
        checkpoints.add(evaluate(tier(kind="grace", model=str(tmp_path))).checkpoint)
    assert by_path.calls == 2 * [((), {"model": str(tmp_path)})]
    assert len(checkpoints - {""}) == 2


def test_a_folder_of_the_same_name_is_not_the_package(tmp_path, monkeypatch):
    (tmp_path / "orb_models").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match="orb-models"):
        build_relaxer(tier(kind="orb"))


@pytest.mark.parametrize("kind", ["grace", "mace", "matgl", "mattersim", "orb", "upet"])
def test_a_missing_package_is_named_with_both_remedies(kind, monkeypatch):
    monkeypatch.setattr(mlip, "util", SimpleNamespace(find_spec=lambda name: None))
    with pytest.raises(MissingDependencyError) as error:
        build_relaxer(tier(kind=kind))
    text = str(error.value)
    assert f'pip install "nucleate[{kind}]"' in text
    assert find(kind, "models").distribution in text
    assert 'python = "' in text


def test_a_missing_file_and_a_model_that_cannot_be_loaded(stand_in):
    def broken(**_):
        raise RuntimeError("no network")

    stand_in(mace__calculators={"mace_mp": broken, "MACECalculator": broken})
    with pytest.raises(InputError, match=r"nowhere/a\.model does not exist"):
        build_relaxer(tier(kind="mace", model="nowhere/a.model"))
    with pytest.raises(InputError, match=r"'small' cannot be loaded by mace-torch .*no network"):
        build_relaxer(tier(kind="mace", model="small"))


def test_elements_that_the_model_does_not_know_are_refused_beforehand(stand_in):
    of_matgl, of_grace = EMT(), EMT()
    of_matgl.element_types = ("Au", "O")
    of_grace.element_map = {"Au": 0, "O": 1}
    stand_in(
        matgl={"load_model": Recorder("p")},
        matgl__ext__ase={"PESCalculator": Recorder(of_matgl)},
        tensorpotential__calculator={"grace_fm": Recorder(of_grace), "TPCalculator": None},
    )
    for kind in ("matgl", "grace"):
        ((_, outcome),) = relax_all(build_relaxer(tier(kind=kind)), [(0, COPPER)])
        assert "does not know the elements Z = [29]" in outcome.message


def tiny_mace(path, dtype):
    """Save an untrained MACE model of copper and oxygen with seeded weights."""
    import mace.modules  # before e3nn, whose constants it lets torch load
    import torch
    from e3nn import o3

    modules = mace.modules
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, dtype))
    model = modules.ScaleShiftMACE(
        r_max=4.5,
        num_bessel=4,
        num_polynomial_cutoff=5,
        max_ell=1,
        interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        num_interactions=2,
        num_elements=2,
        hidden_irreps=o3.Irreps("8x0e"),
        MLP_irreps=o3.Irreps("4x0e"),
        atomic_energies=np.array([-2.0, -3.0]),
        avg_num_neighbors=12.0,
        atomic_numbers=[8, 29],
        correlation=2,
        gate=torch.nn.functional.silu,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )
    torch.save(model, path)
    torch.set_default_dtype(torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_tiny_mace_model_gives_the_energies_of_its_own_calculator(tmp_path, dtype):
    calculators = pytest.importorskip("mace.calculators")
    path = tmp_path / "tiny.model"
    tiny_mace(path, dtype)
    rng = np.random.default_rng(1)
    crystals = []
    for size in (1, 2, 3):
        atoms = bulk("Cu", "fcc", 3.7, cubic=True).repeat((size, 1, 1))
        atoms.numbers[::3] = 8
        atoms.positions += rng.normal(0.0, 0.1, atoms.positions.shape)
        crystals.append(Crystal.from_ase(atoms))
    engine = {"kind": "mace", "model": str(path), "dtype": dtype}
    relaxer = build_relaxer(tier(**engine))
    assert relaxer.level.checkpoint
    own = calculators.MACECalculator(model_paths=str(path), device="cpu", default_dtype=dtype)
    accuracy = 1e-8 if dtype == "float64" else 1e-3
    for key, outcome in relax_all(relaxer, enumerate(crystals)):
        atoms = crystals[key].to_ase()
        atoms.calc = own
        assert isinstance(outcome, Relaxed)
        assert outcome.energy == pytest.approx(atoms.get_potential_energy(), abs=accuracy)
        assert np.allclose(outcome.forces, atoms.get_forces(), atol=accuracy)
        stress = atoms.get_stress(voigt=False) * 160.21766208
        assert np.allclose(outcome.stress_gpa, stress, atol=100 * accuracy)
    ((_, refused),) = relax_all(relaxer, [(0, Crystal.from_ase(bulk("Ni", "fcc", 3.5)))])
    assert "does not know the elements Z = [28]" in refused.message
