"""Energies, forces and stresses against the ``chgnet`` package on varied known crystals."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING

import numpy as np
from relaxation_starts import Journal, headline_starts

from nucleate.crystal.crystal import Crystal
from nucleate.energy.model import Batch
from nucleate.networks.chgnet.models import build_chgnet
from nucleate.units import GPA_PER_EV_A3

if TYPE_CHECKING:
    from pathlib import Path

LIMITS = {"energy": 1e-5, "force": 2e-4, "stress": 1e-3}
"""eV/atom, eV/Å and GPa."""

_NON_METALS = {1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 33, 34, 35, 36, 52, 53, 54, 85, 86}
_ORGANIC = {1, 6, 7, 8, 9, 15, 16, 17, 35, 53}


def varied_crystals(parquet: Path, count: int, *, seed: int) -> list[tuple[str, str, Crystal]]:
    """Return (kind, material, crystal), the kinds in equal shares, none of them twice.

    Half of the crystals are shaken (0.1 Å) and strained (2 %) so that forces are not near zero.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(parquet, columns=["material_id", "lattice", "species", "frac_coords"])
    rng = np.random.default_rng(seed)
    pools: dict[str, list[tuple[str, Crystal]]] = {}
    share = -(-count // 8)
    for row in rng.permutation(table.num_rows):
        values = {name: table[name][int(row)].as_py() for name in table.column_names}
        crystal = Crystal(
            np.array(values["species"]),
            np.array(values["lattice"]).reshape(3, 3),
            np.array(values["frac_coords"]).reshape(-1, 3),
        )
        if crystal.numbers.max() > 94 or crystal.volume_per_atom > 250.0:
            continue
        for kind in kinds(crystal):
            pool = pools.setdefault(kind, [])
            if len(pool) < share:
                pool.append((values["material_id"], crystal))
                break
        if len(pools) == 8 and all(len(pool) == share for pool in pools.values()):
            break
    chosen = [(kind, name, crystal) for kind, pool in pools.items() for name, crystal in pool]
    chosen = chosen[:count]
    return [
        (kind, name, crystal if k % 2 else _shaken(crystal, rng=rng))
        for k, (kind, name, crystal) in enumerate(chosen)
    ]


def kinds(crystal: Crystal) -> list[str]:
    """Return the kinds that a crystal belongs to, the rarest first."""
    elements = set(crystal.numbers.tolist())
    found = []
    if crystal.n_atoms == 1:
        found.append("one atom")
    if crystal.n_atoms == 52:
        found.append("52 atoms")
    if elements <= _ORGANIC and {1, 6} <= elements:
        found.append("molecules")
    angles = crystal.angles
    if angles.max() > 130.0 or angles.min() < 45.0 or np.ptp(crystal.lengths) > 15.0:
        found.append("skewed or long")
    if _without_angles(crystal):
        found.append("no angles")
    if not elements & _NON_METALS:
        found.append("metals")
    if 8 in elements:
        found.append("oxides")
    return [*found, "others"]


def _without_angles(crystal: Crystal) -> bool:
    from nucleate.networks.chgnet.graph import build_graph

    start = np.array([0, crystal.n_atoms])
    graph = build_graph(crystal.cell[None].copy(), crystal.positions, start, 3.0, 3.0)
    return len(graph.angles) == 0


def _shaken(crystal: Crystal, *, rng: np.random.Generator) -> Crystal:
    strain = np.eye(3) + 0.02 * rng.normal(size=(3, 3))
    moved = crystal.positions + 0.1 * rng.normal(size=(crystal.n_atoms, 3))
    return Crystal.from_positions(crystal.numbers, crystal.cell @ strain, moved @ strain)


def compare_with_package(
    parquet: Path, count: int, path: Path, *, seed: int, device: str = "cpu"
) -> None:
    """Evaluate every crystal both ways and write the largest differences."""
    import torch
    from chgnet.model import CHGNet

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    journal = Journal(path)
    package = CHGNet.load(verbose=False, use_device="cpu")
    model = build_chgnet(device=device)
    for kind, name, crystal in varied_crystals(parquet, count, seed=seed):
        if name in journal:
            continue
        found = model.evaluate(Batch.of([crystal]))
        try:
            expected = package.predict_structure(crystal.to_pymatgen())
        except Exception as error:  # noqa: BLE001 - an isolated atom, which the package refuses
            journal.add(name, kind=kind, refused=str(error)[:80])
            continue
        stress = found.stresses[0] * GPA_PER_EV_A3
        journal.add(
            name,
            kind=kind,
            atoms=crystal.n_atoms,
            energy=abs(found.energies[0] / crystal.n_atoms - float(expected["e"])),
            force=float(np.abs(found.forces - expected["f"]).max()),
            stress=float(np.abs(stress - expected["s"]).max()),
            largest_force=float(np.abs(expected["f"]).max()),
            largest_stress=float(np.abs(expected["s"]).max()),
        )


def compare_with_double_precision(parquet: Path, count: int, source: Path, *, seed: int) -> str:
    """Return whose rounding a difference in force is: both against the network in float64.

    Only the crystals whose forces differ by more than the limit are evaluated again.
    """
    import torch
    from chgnet.model import CHGNet

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    rows = Journal(source)
    over = {row["key"] for row in rows if row.get("force", 0.0) > LIMITS["force"]}
    package, model = CHGNet.load(verbose=False, use_device="cpu"), build_chgnet()
    ours, theirs = [], []
    for _, name, crystal in varied_crystals(parquet, count, seed=seed):
        if name in over:
            exact = _forces_in_double(crystal)
            ours.append(np.abs(model.evaluate(Batch.of([crystal])).forces - exact).max())
            forces = package.predict_structure(crystal.to_pymatgen(), task="ef")["f"]
            theirs.append(np.abs(forces - exact).max())
    if not over:
        return "no force differs by more than the limit"
    return (
        f"{len(ours)} crystals over the limit in force, against float64: nucleate off by "
        f"{np.median(ours):.1e} (median) and {max(ours):.1e} (largest) eV/A, the package by "
        f"{np.median(theirs):.1e} and {max(theirs):.1e}"
    )


def _forces_in_double(crystal: Crystal) -> np.ndarray:
    import torch

    from nucleate.networks.chgnet.checkpoint import load_checkpoint
    from nucleate.networks.chgnet.graph import build_graph
    from nucleate.networks.chgnet.network import Network
    from nucleate.networks.chgnet.parameters import parameters_of

    network = Network(parameters_of(load_checkpoint()), dtype=torch.float64)
    start = np.array([0, crystal.n_atoms])
    graph = build_graph(crystal.cell[None].copy(), crystal.positions, start, 6.0, 3.0)
    owner = np.zeros(crystal.n_atoms, np.int64)
    return network.evaluate(graph, crystal.numbers, owner, 1)[1].numpy()


def report_accuracy(path: Path) -> str:
    """Return a table of the largest and median differences by kind, and what is over a limit."""
    rows = [row for row in Journal(path) if "refused" not in row]
    lines = [f"{len(rows)} crystals compared, {len(Journal(path)) - len(rows)} refused by package"]
    for kind in sorted({row["kind"] for row in rows}):
        some = [row for row in rows if row["kind"] == kind]
        lines.append(
            f"{kind:15s} {len(some):4d}"
            + "".join(f"  {q} {max(r[q] for r in some):.1e}" for q in LIMITS)
        )
    for quantity, limit in LIMITS.items():
        values = np.array([row[quantity] for row in rows])
        over = [row for row in rows if row[quantity] > limit]
        lines.append(
            f"{quantity}: median {np.median(values):.1e}, 99 % {np.quantile(values, 0.99):.1e}, "
            f"largest {values.max():.1e}, over {limit:g}: {len(over)}"
            + "".join(
                f" [{r['key']} {r['kind']} F {r['largest_force']:.0f} S {r['largest_stress']:.0f}]"
                for r in over[:8]
            )
        )
    return "\n".join(lines)


def compare_cost(path: Path, starts: Path, *, seed: int, rounds: int = 5) -> str:
    """Return the cost of one evaluation at 20 atoms, both in turns, one thread, medians."""
    import torch
    from chgnet.model.dynamics import CHGNetCalculator

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    items = headline_starts(32, starts, seed=seed)[:12]
    calculator = CHGNetCalculator(use_device="cpu")
    model = build_chgnet()
    model.evaluate(Batch.of([items[0][1]]))
    journal = Journal(path)
    lines = []
    for name, crystal in items:
        for k in range(rounds):
            key = f"{name}/{k}"
            if key in journal:
                continue
            atoms = crystal.to_ase()
            begin = time.process_time()
            calculator.calculate(atoms, ["energy", "forces", "stress"], [])
            package = time.process_time() - begin
            begin = time.process_time()
            for _ in range(5):
                model.evaluate(Batch.of([crystal]))
            ours = (time.process_time() - begin) / 5
            journal.add(key, package_s=package, ours_s=ours)
    for kind in ("oxide", "halide", "intermetallic"):
        rows = [row for row in journal if row["key"].startswith(kind)]
        ours = np.array([row["ours_s"] for row in rows])
        package = np.array([row["package_s"] for row in rows])
        lines.append(
            f"{kind:14s} package {1e3 * np.median(package):6.1f} ms  nucleate "
            f"{1e3 * np.median(ours):5.1f} ms  ratio {np.median(package / ours):.2f}"
        )
    return "\n".join(lines)
