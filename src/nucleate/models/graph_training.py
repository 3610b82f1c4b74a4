"""The whole way from a data file to a checkpoint with its model card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import nucleate
from nucleate.models.checkpoint import Checkpoint, save_checkpoint
from nucleate.models.datasets import load_dataset
from nucleate.models.evaluation import errors_by_chemistry, mean_absolute_error
from nucleate.models.graphs import build_graphs, load_graphs
from nucleate.models.model_card import format_model_card, plot_learning_curve
from nucleate.models.settings import HarmonicSettings, configuration, settings_to_dict
from nucleate.models.training import (
    REFERENCE_TRAINING,
    Examples,
    Progress,
    Trainer,
    TrainingSettings,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from nucleate.models.datasets import Dataset
    from nucleate.models.graphs import Graphs
    from nucleate.models.settings import NetworkSettings

MODEL = "model.safetensors"


def train_graph_network(
    data: Path,
    out: Path,
    *,
    configuration_name: str = "harmonic",
    energy_column: str | None = None,
    changes: dict[str, Any] | None = None,
    perturbed: int = 0,
    ood: Path | None = None,
    device: str = "cpu",
    limit: int | None = None,
    say: Callable[[str], None] = lambda _: None,
    tell: Callable[[Progress], None] | None = None,
) -> Path:
    """Train a network on a data file and return the path of its checkpoint.

    A run that was killed goes on from its last state when called again with the same folder.

    Parameters
    ----------
    data
        See :func:`~nucleate.models.datasets.load_dataset`.
    out
        Folder of graphs, state, checkpoint, ``model_card.md`` and ``learning_curve.png``.
    configuration_name
        ``harmonic``, ``megnet`` or ``megnet-10``.
    energy_column
        Column of the energies.
    changes
        Fields of :class:`TrainingSettings` that differ from the configuration's.
    perturbed
        Number of perturbed copies to label with CHGNet and train on.
    ood
        A data file of another origin, to measure on; never trained on.
    device
        ``cpu`` or ``cuda``.
    limit
        Read at most so many rows.
    say, tell
        Called with lines of text and with the progress.
    """
    network = configuration(configuration_name)
    reference = configuration_name.startswith("megnet")
    settings = replace(REFERENCE_TRAINING if reference else TrainingSettings(), **(changes or {}))
    out.mkdir(parents=True, exist_ok=True)
    dataset = load_dataset(data, energy_column=energy_column, seed=settings.seed, limit=limit)
    for line in dataset.report.lines():
        say(line)
    (out / "data_report.json").write_text(json.dumps(dataset.report.to_dict(), indent=2))
    graphs = _cached_graphs(out, dataset, network)
    copies = None
    if perturbed:
        copies = _cached_copies(out, dataset, network, perturbed, settings.seed, say)
    examples = Examples(graphs, dataset.energies, np.ones(len(graphs), np.float32))
    trainer = Trainer(
        out,
        network,
        settings,
        examples,
        train=dataset.rows("train"),
        val=dataset.rows("val"),
        perturbed=copies,
        device=device,
    )
    best = trainer.run(tell=tell)
    about = _about(dataset, trainer, perturbed)
    if ood is not None:
        _measure_ood(ood, trainer, about)
    elements = dataset.elements(dataset.rows("train"))
    save_checkpoint(out / MODEL, Checkpoint(network, (best,), elements, about))
    (out / "model_card.md").write_text(format_model_card(about), encoding="utf-8")
    plot_learning_curve(out / "learning_curve.png", trainer.history)
    return out / MODEL


def _cached_graphs(out: Path, dataset: Dataset, network: NetworkSettings) -> Graphs:
    """Build the graphs, or read those of the same crystals and network."""
    facts = json.dumps([settings_to_dict(network), dataset.report.source, list(dataset.keys)])
    digest = hashlib.sha256(facts.encode())
    for crystal in dataset.crystals:
        digest.update(crystal.cell.tobytes() + crystal.scaled.tobytes())
    path = out / f"graphs-{digest.hexdigest()[:12]}.npz"
    if path.is_file():
        return load_graphs(path, network)
    orbits = isinstance(network, HarmonicSettings)
    build_graphs(dataset.crystals, network, orbits=orbits).save(path)
    return load_graphs(path, network)


def _cached_copies(
    out: Path,
    dataset: Dataset,
    network: NetworkSettings,
    count: int,
    seed: int,
    say: Callable[[str], None],
) -> Examples:
    """Label perturbed copies, or read those labelled before (a resumed run must have the same)."""
    graphs, labels = out / f"copies-{count}-{seed}.npz", out / f"copies-{count}-{seed}-labels.npz"
    if graphs.is_file() and labels.is_file():
        with np.load(labels, allow_pickle=False) as arrays:
            return Examples(load_graphs(graphs, network), arrays["energies"], arrays["weights"])
    from nucleate.models.chgnet_labels import perturbed_examples

    say(f"labelling {count} perturbed copies")
    rng = np.random.default_rng([seed, 2])
    copies = perturbed_examples(dataset, network, count=count, rng=rng)
    copies.graphs.save(graphs)
    np.savez(labels, energies=copies.energies, weights=copies.weights)
    return Examples(load_graphs(graphs, network), copies.energies, copies.weights)


def _about(dataset: Dataset, trainer: Trainer, perturbed: int) -> dict[str, Any]:
    maes, chemistry = {}, {}
    for split in ("val", "test"):
        rows = dataset.rows(split)
        predicted = trainer.predict(trainer.best, rows)
        maes[split] = mean_absolute_error(predicted, dataset.energies[rows])
        numbers = [dataset.crystals[row].numbers for row in rows]
        chemistry[split] = errors_by_chemistry(numbers, predicted, dataset.energies[rows])
    kinds = f"{perturbed} copies labelled with CHGNet differences" if perturbed else ""
    return {
        "name": trainer.folder.name,
        "target": f"{dataset.report.energy_column}, eV/atom",
        "data": dataset.report.source,
        "split": dataset.report.split_by,
        "perturbed": kinds,
        "sizes": dataset.report.sizes,
        "mae_ev_per_atom": maes,
        "per_chemistry": chemistry,
        "training": asdict(trainer.settings) | {"steps": trainer.step},
        "code_version": nucleate.__version__,
    }


def _measure_ood(path: Path, trainer: Trainer, about: dict[str, Any]) -> None:
    from nucleate.models.graph_network import GraphNetwork

    other = load_dataset(path)
    seen = tuple(range(1, trainer.network_settings.elements))
    network = GraphNetwork(Checkpoint(trainer.network_settings, (trainer.best,), seen))
    predicted = network.energies(other.crystals)
    about["mae_ev_per_atom"][path.stem] = mean_absolute_error(predicted, other.energies)
    numbers = [crystal.numbers for crystal in other.crystals]
    about["per_chemistry"][path.stem] = errors_by_chemistry(numbers, predicted, other.energies)
