"""Untrained models of other packages, and what those packages' own calculators say of them.

A script for the interpreter that has the package: ``python tiny_models.py KIND FOLDER`` saves a
model with seeded weights in the folder and writes energies (eV), forces (eV/Å) and stresses (GPa)
of the crystals in ``crystals.json`` to ``own.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FILES = {
    "mattersim": "tiny.pth",
    "orb": "tiny.ckpt",
    "matgl": "tiny",
    "upet": "tiny.ckpt",
    "grace": "tiny",
}
"""Where in the folder each kind keeps its model."""

SINGLE = ("mattersim", "matgl")
"""Kinds that compute in float32."""

OF_COPPER_AND_OXYGEN = ("matgl", "upet", "grace")
"""Kinds whose model knows these two elements only."""


def engine(kind, folder):
    """Return the keys of nucleate's engine that name the model in a folder."""
    path = str(folder / FILES[kind])
    return {"checkpoint": path} if kind == "orb" else {"model": path}


def _amplify(network, factor):
    """Scale all weights, for energies that change enough over small distances."""
    import torch

    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= factor


def make_mattersim(path):
    import torch
    from mattersim.forcefield.m3gnet.m3gnet import M3Gnet
    from mattersim.forcefield.potential import Potential

    torch.manual_seed(0)
    network = M3Gnet(num_blocks=2, units=16, max_l=2, max_n=2, device="cpu")
    _amplify(network, 3.0)
    Potential(network, device="cpu").save(str(path))


def mattersim(path):
    from mattersim.forcefield import MatterSimCalculator, Potential

    potential = Potential.from_checkpoint(str(path), device="cpu", load_training_state=False)
    calculator = MatterSimCalculator(potential=potential, stress_weight=1.0, device="cpu")
    return calculator, 1.0


def make_orb(path):
    import torch
    from orb_models.forcefield.pretrained import orb_v3_conservative_architecture

    torch.manual_seed(0)
    network = orb_v3_conservative_architecture(device="cpu")
    _amplify(network.heads, 3.0)
    torch.save(network.state_dict(), path)


def orb(path):
    from orb_models.forcefield import pretrained

    loaded = pretrained.orb_v3_conservative_inf_omat(
        weights_path=str(path), device="cpu", precision="float64", compile=False
    )
    if isinstance(loaded, tuple):  # orb-models 0.7.0: network and adapter of the atoms
        from orb_models.forcefield.inference.calculator import ORBCalculator

        return ORBCalculator(*loaded, device="cpu"), 160.21766208
    from orb_models.forcefield.calculator import ORBCalculator

    return ORBCalculator(loaded, device="cpu"), 160.21766208


def make_matgl(path):
    import torch
    from matgl.apps.pes import Potential
    from matgl.models import TensorNet

    torch.manual_seed(0)
    network = TensorNet(
        element_types=("O", "Cu"), units=16, nblocks=1, num_rbf=8, cutoff=4.5, is_intensive=False
    )
    _amplify(network, 1.8)
    Potential(network, element_refs=[-0.2, -0.3], data_std=5.0).save(path)


def matgl(path):
    import matgl as package
    from matgl.ext.ase import PESCalculator

    return PESCalculator(package.load_model(path)), 1.0


def make_upet(path):
    import torch
    from metatrain.pet import PET
    from metatrain.utils.architectures import get_default_hypers
    from metatrain.utils.data import DatasetInfo
    from metatrain.utils.data.target_info import get_energy_target_info

    torch.manual_seed(0)
    hypers = get_default_hypers("pet", base_precision=64)["model"]
    hypers |= {"d_pet": 8, "d_node": 8, "d_head": 8, "d_feedforward": 8, "num_heads": 1}
    energy = get_energy_target_info("energy", {"unit": "eV"}, True, True)
    network = PET(hypers, DatasetInfo("angstrom", [8, 29], {"energy": energy}))
    torch.save(network.get_checkpoint(), path)


def upet(path):
    from upet.ase import UPETCalculator

    return UPETCalculator(checkpoint_path=path, dtype="float64", device="cpu"), 160.21766208


def make_grace(path):
    from tensorpotential.potentials.presets import LINEAR  # before tensorflow, which it sets up
    from tensorpotential.tpmodel import TPModel

    import tensorflow as tf  # isort: skip

    tf.keras.utils.set_random_seed(0)
    preset = LINEAR({"O": 0, "Cu": 1}, rcut=4.5, lmax=2, n_rad_max=4, embedding_size=4, max_order=2)
    network = TPModel(preset.get_instructions())
    network.build(tf.float64)
    network.save_model(str(path))


def grace(path):
    from tensorpotential.calculator import TPCalculator

    return TPCalculator(str(path)), 160.21766208


def main(kind, folder):
    from ase import Atoms

    path = folder / FILES[kind]
    globals()[f"make_{kind}"](path)
    calculator, gpa = globals()[kind](path)
    found = []
    for crystal in json.loads((folder / "crystals.json").read_text()):
        atoms = Atoms(
            crystal["numbers"], cell=crystal["cell"], scaled_positions=crystal["scaled"], pbc=True
        )
        atoms.calc = calculator
        found.append(
            {
                "energy": float(atoms.get_potential_energy()),
                "forces": atoms.get_forces().tolist(),
                "stress_gpa": (gpa * atoms.get_stress(voigt=False)).tolist(),
            }
        )
    (folder / "own.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
