"""The whole way from a data file to a flow with its model card."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nucleate.fitting.datasets import reduced_formulas
from nucleate.fitting.flow.corpus import read_corpora
from nucleate.fitting.flow.training import FlowTrainer, FlowTraining
from nucleate.fitting.generator_results import Card, train_and_write
from nucleate.fitting.state import check_out, sizes_of
from nucleate.generate.flow.checkpoint import FLOW
from nucleate.generate.flow.settings import FlowSettings
from nucleate.networks.device import check_device

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nucleate.fitting.epochs import Progress

CARD = Card(
    sentence="Carries random atoms in a random cell into a crystal of their composition.",
    error="mean squared error of velocities",
    total="weighted sum",
    validation="running mean of the weights",
    parts={
        "atoms": "velocities of the atoms (fractional)",
        "cell": "velocities of the cell (log-strain)",
    },
    digits=4,
)


def train_flow(
    data: Path,
    out: Path,
    *,
    changes: dict[str, Any] | None = None,
    width: int = 128,
    layers: int = 4,
    most_atoms: int = 12,
    licence: str = "",
    withheld: Sequence[str] = (),
    device: str = "cpu",
    limit: int | None = None,
    say: Callable[[str], None] = lambda _: None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Path:
    """Train the flow on a data file and return the path of its checkpoint.

    A run that was killed continues from its last state when called again with the same folder;
    the checkpoint is written with every state.

    Parameters
    ----------
    data
        See :func:`~nucleate.fitting.datasets.load_dataset`.
    out
        Folder of crystals, state, checkpoint, ``model_card.md`` and ``learning_curve.png``.
    changes
        Fields of :class:`FlowTraining` that differ from the defaults.
    width, layers
        Sizes of the network.
    most_atoms
        Largest primitive cell.
    licence
        Licence and source of the data, written into the checkpoint.
    withheld
        Formulas of which no crystal is learned.
    device
        ``cpu`` or ``cuda``.
    limit
        Read at most this number of rows.
    say, tell
        Called with lines of text and with the progress.

    Raises
    ------
    InputError
        If the data cannot serve, the device is missing, or the folder holds another training.
    """
    check_device(device)
    settings = replace(FlowTraining(), **(changes or {}))
    sizes: FlowSettings = sizes_of(partial(FlowSettings, width, layers, most_atoms=most_atoms))
    check_out(out)
    train, val, account = read_corpora(
        data,
        out,
        most_atoms=most_atoms,
        limit=limit,
        seed=settings.seed,
        say=say,
        withheld=reduced_formulas(withheld),
    )
    sizes = replace(sizes, most_atoms=int(train.sizes.max()))
    trainer = FlowTrainer(out, sizes, settings, train, val, device=device)
    count = sum(parameter.numel() for parameter in trainer.network.parameters())
    say(f"{len(train):,} training crystals, {count:,} parameters")

    facts = {
        "data": account,
        "licence": licence,
        "crystals": {"train": len(train), "val": len(val)},
        "most_atoms": sizes.most_atoms,
        "parameters": count,
    }
    return train_and_write(trainer, FLOW, CARD, sizes, train.elements, facts, out, tell)
