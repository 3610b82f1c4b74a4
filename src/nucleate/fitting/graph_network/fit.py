"""The whole way from a data file to a checkpoint with its model card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import nucleate
from nucleate.errors import InputError
from nucleate.fitting.datasets import check_sides, load_dataset
from nucleate.fitting.graph_network.evaluation import errors_by_chemistry, mean_absolute_error
from nucleate.fitting.graph_network.examples import Examples
from nucleate.fitting.graph_network.labels import (
    COPIES,
    element_references,
    formation_energies,
    perturbed_examples,
)
from nucleate.fitting.graph_network.model_card import format_model_card, plot_learning_curve
from nucleate.fitting.graph_network.settings import REFERENCE_TRAINING, TrainingSettings
from nucleate.fitting.graph_network.training import Progress, Trainer
from nucleate.fitting.state import check_out, folder_of
from nucleate.networks.device import check_device
from nucleate.networks.graph_network.checkpoint import Checkpoint, save_checkpoint
from nucleate.networks.graph_network.graphs import build_graphs, load_graphs
from nucleate.networks.graph_network.settings import (
    HarmonicSettings,
    configuration,
    settings_to_dict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.datasets import Dataset
    from nucleate.fitting.graph_network.labels import Potential
    from nucleate.networks.graph_network.graphs import Graphs
    from nucleate.networks.graph_network.settings import NetworkSettings

MODEL = "model.safetensors"
REST_WEIGHT = 0.5
HIGHEST_LABEL = 2.5
LABELLED_AT_ONCE = 1000


def train_graph_network(
    data: Path,
    out: Path,
    *,
    configuration_name: str = "harmonic",
    energy_column: str | None = None,
    changes: dict[str, Any] | None = None,
    members: int = 1,
    perturbed: int = 0,
    label_rest: bool = False,
    potential: Potential | None = None,
    ood: Path | None = None,
    device: str = "cpu",
    limit: int | None = None,
    say: Callable[[str], None] = lambda _: None,
    tell: Callable[[Progress], None] | None = None,
) -> Path:
    """Train networks on a data file and return the path of their checkpoint.

    A run that was killed continues from its last state when called again with the same folder.

    Parameters
    ----------
    data
        See :func:`~nucleate.fitting.datasets.load_dataset`.
    out
        Folder of graphs, states, checkpoint, ``model_card.md`` and ``learning_curve.png``.
    configuration_name
        ``harmonic``, ``megnet`` or ``megnet-10``.
    energy_column
        Column of the energies.
    changes
        Fields of :class:`TrainingSettings` that differ from the configuration's.
    members
        Networks to train one after the other, with seeds of their own; their mean predicts.
    perturbed
        Number of perturbed copies to label with the potential and train on.
    label_rest
        Label the training crystals without an energy with the potential, and train on them too.
    potential
        Energies in eV/atom of crystals; needed for the last two.
    ood
        A data file of another origin, to measure on; never trained on.
    device
        ``cpu`` or ``cuda``.
    limit
        Read at most this number of rows.
    say, tell
        Called with lines of text and with the progress.

    Raises
    ------
    InputError
        If the data or the configuration cannot serve, or the device is missing.
    """
    check_device(device)
    network = configuration(configuration_name)
    reference = configuration_name.startswith("megnet")
    settings = replace(REFERENCE_TRAINING if reference else TrainingSettings(), **(changes or {}))
    check_out(out)
    dataset = load_dataset(data, energy_column=energy_column, seed=settings.seed, limit=limit)
    for line in dataset.report.lines():
        say(line)
    n_train = len(dataset.rows("train")) + (len(dataset.unlabelled) if label_rest else 0)
    check_sides(data, dataset, {"train": n_train, "val": len(dataset.rows("val"))}, limit)
    folder_of(out)
    (out / "data_report.json").write_text(json.dumps(dataset.report.to_dict(), indent=2))
    source = Sources(out, dataset, network, settings, potential, say)
    examples, train = source.examples(), dataset.rows("train")
    if label_rest:
        examples, train = source.with_rest(examples, train)
    copies = source.copies(perturbed) if perturbed else None
    trainers = []
    for number in range(members):
        say(f"network {number + 1} of {members}")
        folder = out / f"network-{number}"
        folder.mkdir(exist_ok=True)
        trainer = Trainer(
            folder,
            network,
            replace(settings, seed=settings.seed + number),
            examples,
            train=train,
            val=dataset.rows("val"),
            perturbed=copies,
            device=device,
        )
        trainer.run(tell=tell)
        trainers.append(trainer)
    return write_results(out, dataset, trainers, source.notes, ood)


def write_results(
    out: Path, dataset: Dataset, trainers: list[Trainer], notes: list[str], ood: Path | None
) -> Path:
    """Measure trained networks; write checkpoint, card and learning curve; return the checkpoint.

    Parameters
    ----------
    out
        Folder.
    dataset
        What they were trained on.
    trainers
        One per network, with their best weights.
    notes
        What else they learnt from.
    ood
        See :func:`train_graph_network`.
    """
    about = _about(out.name, dataset, trainers, notes)
    elements = dataset.elements(dataset.rows("train"))
    settings = trainers[0].network_settings
    checkpoint = Checkpoint(settings, tuple(trainer.best for trainer in trainers), elements, about)
    if ood is not None:
        _measure_ood(ood, checkpoint, about)
    save_checkpoint(out / MODEL, checkpoint)
    (out / "model_card.md").write_text(format_model_card(about), encoding="utf-8")
    plot_learning_curve(out / "learning_curve.png", [trainer.history for trainer in trainers])
    return out / MODEL


class Sources:
    """What networks are trained on, built once and kept in the folder.

    Parameters
    ----------
    out
        Folder.
    dataset
        Labelled crystals.
    network
        Sizes of the networks.
    settings
        Of the training.
    potential
        Labels what has no energy.
    say
        Called with lines of text.
    """

    def __init__(
        self,
        out: Path,
        dataset: Dataset,
        network: NetworkSettings,
        settings: TrainingSettings,
        potential: Potential | None,
        say: Callable[[str], None],
    ) -> None:
        self._out, self._dataset, self._network = out, dataset, network
        self._seed, self._potential, self._say = settings.seed, potential, say
        self.notes: list[str] = []

    def examples(self) -> Examples:
        """Return the labelled crystals of all splits."""
        graphs = self._graphs("graphs", self._dataset.crystals)
        return Examples(graphs, self._dataset.energies, np.ones(len(graphs), np.float32))

    def with_rest(
        self, examples: Examples, train: NDArray[np.int64]
    ) -> tuple[Examples, NDArray[np.int64]]:
        """Return examples and training rows with the crystals that have no energy in the data."""
        rest = self._dataset.unlabelled
        energies = self._labelled(rest)
        known = np.isfinite(energies) & (energies <= HIGHEST_LABEL)
        graphs = self._graphs("rest", [rest[row] for row in np.flatnonzero(known)])
        self.notes.append(f"{known.sum():,} training crystals without an energy, labelled")
        weights = np.full(known.sum(), REST_WEIGHT, np.float32)
        both = examples.joined(Examples(graphs, energies[known].astype(np.float32), weights))
        return both, np.concatenate([train, np.arange(len(examples.graphs), len(both.graphs))])

    def copies(self, count: int) -> Examples:
        """Return perturbed copies of training crystals."""
        name = f"copies-{count}-{self._seed}-{self._digest(self._dataset.crystals)}"
        graphs, labels = self._out / f"{name}.npz", self._out / f"{name}-labels.npz"
        self.notes.append(f"{count:,} perturbed copies labelled by differences")
        if graphs.is_file() and labels.is_file():
            with np.load(labels, allow_pickle=False) as arrays:
                found = load_graphs(graphs, self._network)
                return Examples(found, arrays["energies"], arrays["weights"])
        rng = np.random.default_rng([self._seed, 2])
        copies = perturbed_examples(
            self._dataset,
            self._network,
            self._given_potential(),
            count=count,
            rng=rng,
            progress=self._tell_copies,
        )
        copies.graphs.save(graphs)
        np.savez(labels, energies=copies.energies, weights=copies.weights)
        return Examples(load_graphs(graphs, self._network), copies.energies, copies.weights)

    def _tell_copies(self, done: int, total: int) -> None:
        if done % LABELLED_AT_ONCE < COPIES or done >= total:
            self._say(f"perturbed copies: {done:,} of {total:,} labelled")

    def _labelled(self, crystals: Sequence[Crystal]) -> NDArray[np.float64]:
        """Return formation energies by the potential; what is done is kept after every thousand."""
        both = self._digest([*self._dataset.crystals, *crystals])
        path = self._out / f"rest-{len(crystals)}-{self._seed}-{both}.npz"
        if path.is_file():
            with np.load(path, allow_pickle=False) as arrays:
                references, energies = arrays["references"], arrays["energies"]
        else:
            self._say("fitting the potential's energies to those of the data")
            rng = np.random.default_rng([self._seed, 3])
            references = element_references(self._dataset, self._given_potential(), rng=rng)
            energies = np.zeros(0)
        while energies.size < len(crystals):
            few = crystals[energies.size : energies.size + LABELLED_AT_ONCE]
            found = formation_energies(few, self._given_potential(), references)
            energies = np.concatenate([energies, found])
            part = path.with_suffix(".part.npz")
            np.savez(part, references=references, energies=energies)
            part.replace(path)
            self._say(
                f"training crystals without an energy: {energies.size:,} of {len(crystals):,} "
                "labelled"
            )
        return energies

    def _graphs(self, name: str, crystals: Sequence[Crystal]) -> Graphs:
        """Build graphs, or read those of the same crystals and network."""
        path = self._out / f"{name}-{self._digest(crystals)}.npz"
        if not path.is_file():
            orbits = isinstance(self._network, HarmonicSettings)
            build_graphs(crystals, self._network, orbits=orbits).save(path)
        return load_graphs(path, self._network)

    def _digest(self, crystals: Sequence[Crystal]) -> str:
        """Return a digest of crystals and the sizes of the network, for the name of a file."""
        digest = hashlib.sha256(json.dumps(settings_to_dict(self._network)).encode())
        for crystal in crystals:
            for array in (crystal.numbers, crystal.cell, crystal.scaled):
                digest.update(array.tobytes())
        return digest.hexdigest()[:12]

    def _given_potential(self) -> Potential:
        if self._potential is None:
            raise InputError("crystals without an energy need a potential that labels them")
        return self._potential


def _about(
    name: str, dataset: Dataset, trainers: list[Trainer], notes: list[str]
) -> dict[str, Any]:
    maes, chemistry = {}, {}
    for split in ("val", "test"):
        rows = dataset.rows(split)
        predicted = np.mean([trainer.predict(trainer.best, rows) for trainer in trainers], axis=0)
        maes[split] = mean_absolute_error(predicted, dataset.energies[rows])
        numbers = [dataset.crystals[row].numbers for row in rows]
        chemistry[split] = errors_by_chemistry(numbers, predicted, dataset.energies[rows])
    return {
        "name": name,
        "target": f"{dataset.report.energy_column}, eV/atom",
        "data": dataset.report.source,
        "split": dataset.report.split_by,
        "also": notes,
        "sizes": dataset.report.sizes,
        "mae_ev_per_atom": maes,
        "per_chemistry": chemistry,
        "networks": len(trainers),
        "training": asdict(trainers[0].settings),
        "steps": [trainer.step for trainer in trainers],
        "code_version": nucleate.__version__,
    }


def _measure_ood(path: Path, checkpoint: Checkpoint, about: dict[str, Any]) -> None:
    from nucleate.networks.graph_network.network import GraphNetwork

    other = load_dataset(path)
    seen = tuple(range(1, checkpoint.settings.elements))
    network = GraphNetwork(replace(checkpoint, elements=seen))
    graphs = build_graphs(
        other.crystals,
        checkpoint.settings,
        orbits=isinstance(checkpoint.settings, HarmonicSettings),
    )
    predicted = network.graph_energies(graphs)
    about["mae_ev_per_atom"][path.stem] = mean_absolute_error(predicted, other.energies)
    numbers = [crystal.numbers for crystal in other.crystals]
    about["per_chemistry"][path.stem] = errors_by_chemistry(numbers, predicted, other.energies)
