"""What the shipped graph network reaches, and how fast it is.

    python benchmarks/graph_network.py errors DATA/mp_structures.parquet DATA/wbm_10k.parquet
    python benchmarks/graph_network.py ranking DATA/mp_structures.parquet --copies 600
    python benchmarks/graph_network.py speed
    python benchmarks/graph_network.py steps DATA/mp_structures.parquet --device cuda

``errors``: mean absolute errors on the validation and test rows (screened as for training, and as
they are but for rows without an energy) and on WBM, by chemistry. ``ranking``: how often perturbed
copies of validation crystals are ranked above their parents, counted where CHGNet and the contact
penalty say that the copy is more than 10 meV/atom worse. ``speed``: parameters, energies and
gradients a second on one core. ``steps``: training steps captured as a CUDA graph against the
same steps kernel by kernel.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.crystal import Crystal
from nucleate.crystal.space import SearchSpace
from nucleate.fitting.datasets import load_dataset
from nucleate.fitting.datasets.screening import ScreenSettings
from nucleate.fitting.graph_network.evaluation import errors_by_chemistry, mean_absolute_error
from nucleate.fitting.graph_network.examples import Examples
from nucleate.fitting.graph_network.perturbation import (
    LARGEST_PENALTY_EV_PER_ATOM,
    PERTURBATIONS,
    contact_penalty,
)
from nucleate.fitting.graph_network.settings import TrainingSettings
from nucleate.fitting.graph_network.training import Trainer
from nucleate.generate.symmetric import SymmetricGenerator
from nucleate.networks.graph_network.checkpoint import build_network
from nucleate.networks.graph_network.graphs import build_graphs
from nucleate.networks.graph_network.network import GraphNetwork
from nucleate.networks.graph_network.settings import CONFIGURATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ANYTHING = ScreenSettings(
    highest_energy=np.inf, shortest_contact=0.0, isolated=8.0, largest_volume=np.inf,
    noble_gases=True,
)  # fmt: skip
WORSE = 0.01


def predicted(network: GraphNetwork, crystals: Sequence[Crystal]) -> NDArray[np.float64]:
    """Return energies from one atom of each symmetry orbit."""
    return network.graph_energies(build_graphs(crystals, network.settings, orbits=True))


def measure_errors(arguments: argparse.Namespace) -> None:
    """Print errors by split and by chemistry."""
    network = GraphNetwork.load(arguments.network)
    known = set(network.checkpoint.elements)
    for path in arguments.data:
        for screen, label in ((None, "screened"), (ANYTHING, "as they are")):
            data = load_dataset(path, screen=screen)
            if screen is None:
                print("\n".join(data.report.lines()))
            given = data.report.split_by.startswith("split given")
            splits = [(n, data.rows(n)) for n in ("val", "test")] if given else [
                ("all", np.arange(len(data.crystals)))
            ]  # fmt: skip
            for split, rows in splits:
                rows = [row for row in rows if known >= set(data.crystals[row].numbers.tolist())]
                crystals = [data.crystals[row] for row in rows]
                energies = predicted(network, crystals)
                mae = mean_absolute_error(energies, data.energies[rows])
                print(f"{path.stem} {split} {label}: {len(rows):,} crystals, MAE {mae:.4f}",
                      flush=True)  # fmt: skip
                if screen is None:
                    classes = errors_by_chemistry(
                        [crystal.numbers for crystal in crystals], energies, data.energies[rows]
                    )
                    for name, entry in classes.items():
                        print(f"    {name}: {entry['count']:,}, {entry['mae_ev_per_atom']:.4f}")


def measure_ranking(arguments: argparse.Namespace) -> None:
    """Print how often copies are ranked above their parents, by kind of perturbation."""
    from nucleate.energy.model import Batch
    from nucleate.networks.chgnet.models import build_chgnet

    network, chgnet = GraphNetwork.load(arguments.network), build_chgnet()
    data = load_dataset(arguments.data)
    rng = np.random.default_rng(arguments.seed)
    rows = [row for row in data.rows("val") if data.crystals[row].n_atoms <= 12]
    above: dict[str, list[bool]] = defaultdict(list)
    kinds = list(PERTURBATIONS)
    for number in range(arguments.copies):
        kind = kinds[number % len(kinds)]
        parent = data.crystals[int(rng.choice(rows))]
        copy = PERTURBATIONS[kind](parent, rng=rng)
        ends = chgnet.evaluate(Batch.of([parent, copy])).energies / parent.n_atoms
        label = min(ends[1] - ends[0] + contact_penalty(copy), LARGEST_PENALTY_EV_PER_ATOM)
        if np.isfinite(label) and label > WORSE:
            ours = network.energies([parent, copy])
            above[kind].append(bool(ours[1] > ours[0]))
    for kind, results in above.items():
        print(f"{kind}: {np.mean(results):.3f} of {len(results)} above their parents")
    everything = np.concatenate(list(above.values()))
    print(f"all: {everything.mean():.3f} of {everything.size}, seed {arguments.seed}")


def measure_speed(arguments: argparse.Namespace) -> None:
    """Print sizes of the configurations and the speed of the network."""
    for name, settings in CONFIGURATIONS.items():
        count = sum(parameter.numel() for parameter in build_network(settings).parameters())
        print(f"{name}: {count:,} parameters")
    network = GraphNetwork.load(arguments.network)
    composition = Composition.from_formula("Ca3Ti2O7")
    generator = SymmetricGenerator(SearchSpace.create(composition, formula_units=(2,)))
    drawn = (generator.generate(rng=np.random.default_rng([0, draw])) for draw in range(100))
    crystals = [candidate.crystal for candidate in drawn if candidate is not None]
    network.energies(crystals[:5])
    network.gradients(crystals[:5])
    for name, act in (("energies", network.energies), ("gradients", network.gradients)):
        begin = time.process_time()
        act(crystals)
        spent = (time.process_time() - begin) / len(crystals)
        print(f"{name}: {1e3 * spent:.1f} ms of processor for a crystal of 24 atoms")


def measure_steps(arguments: argparse.Namespace) -> None:
    """Print how long a training step takes, captured and not."""
    dataset = load_dataset(arguments.data, limit=5000)
    network = CONFIGURATIONS["harmonic"]
    graphs = build_graphs(dataset.crystals, network, orbits=True)
    examples = Examples(graphs, dataset.energies, np.ones(len(graphs), np.float32))
    rows = {"train": dataset.rows("train"), "val": dataset.rows("val")}
    settings = TrainingSettings(epochs=1000, batch_size=96)
    spent = {}
    for captured in (True, False):
        with TemporaryDirectory() as folder:
            trainer = Trainer(
                Path(folder), network, settings, examples, device=arguments.device,
                captured=captured, **rows,
            )  # fmt: skip
            trainer.run(until_step=20)
            begin = time.perf_counter()
            trainer.run(until_step=20 + arguments.steps)
            spent[captured] = (time.perf_counter() - begin) / arguments.steps
        name = "captured" if captured else "kernel by kernel"
        print(f"{name}: {1e3 * spent[captured]:.2f} ms a step on {arguments.device}")
    print(f"ratio {spent[False] / spent[True]:.1f}")


def main() -> None:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="mp2018-harmonic")
    commands = parser.add_subparsers(required=True)
    errors = commands.add_parser("errors")
    errors.add_argument("data", type=Path, nargs="+")
    errors.set_defaults(run=measure_errors)
    ranking = commands.add_parser("ranking")
    ranking.add_argument("data", type=Path)
    ranking.add_argument("--copies", type=int, default=600)
    ranking.add_argument("--seed", type=int, default=0)
    ranking.set_defaults(run=measure_ranking)
    commands.add_parser("speed").set_defaults(run=measure_speed)
    steps = commands.add_parser("steps")
    steps.add_argument("data", type=Path)
    steps.add_argument("--device", default="cuda")
    steps.add_argument("--steps", type=int, default=300)
    steps.set_defaults(run=measure_steps)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
