"""``nucleate train``: learned models from the user's own data."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Annotated, Any

import typer

Data = Annotated[
    Path,
    typer.Argument(
        help="parquet, matbench JSON, CSV of CIFs, ASE database, or structures: a file or folder."
    ),
]
Out = Annotated[
    Path, typer.Option(help="Folder of the training; an existing training is continued.")
]
Epochs = Annotated[int | None, typer.Option(min=1, help="Passes over the data.")]
Licence = Annotated[
    str, typer.Option(help="Licence and source of the data, written into the file.")
]
LARGEST_SEED = 2**63 - 1
"""Of the generators of torch."""

Seed = Annotated[
    int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of weights, order and split.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Read at most this number of rows.")]
HoldOut = Annotated[
    bool,
    typer.Option(
        "--hold-out-benchmark/--no-hold-out-benchmark",
        help="Learn no crystal with a formula of the benchmark.",
    ),
]
RateOfAdamW = Annotated[float | None, typer.Option(help="Of AdamW.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]


def register(app: typer.Typer) -> None:
    """Add the command group to the app."""
    group = typer.Typer(help="Train learned models.", no_args_is_help=True)
    group.callback()(_group)
    group.command(name="graph-network")(graph_network)
    group.command(name="wyckoff-language")(wyckoff_language)
    group.command(name="align")(align)
    group.command(name="flow")(flow)
    app.add_typer(group, name="train")


def _group() -> None:
    """Train learned models."""


def graph_network(
    data: Data,
    out: Out,
    configuration: Annotated[
        str, typer.Option(help="harmonic, megnet (the paper's) or megnet-10.")
    ] = "harmonic",
    energy_column: Annotated[
        str | None, typer.Option(help="Column of formation energies, eV/atom.")
    ] = None,
    epochs: Epochs = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Crystals per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam.")] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs without improvement after which training stops."),
    ] = None,
    members: Annotated[
        int, typer.Option(min=1, help="Number of networks to train; the prediction is their mean.")
    ] = 1,
    perturbed: Annotated[
        int, typer.Option(min=0, help="Perturbed copies to label with CHGNet and learn from.")
    ] = 0,
    label_rest: Annotated[
        bool,
        typer.Option(
            help="Label training crystals without an energy with CHGNet and learn from them."
        ),
    ] = False,
    ood: Annotated[
        Path | None, typer.Option(help="Another data file, used only to measure the error.")
    ] = None,
    limit: Limit = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of weights, order and split.")
    ] = 0,
    device: Device = "cpu",
) -> None:
    """Train a graph network that predicts formation energies."""
    from nucleate.api.train import train_graph_network

    given = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    model = train_graph_network(
        data,
        out,
        configuration_name=configuration,
        energy_column=energy_column,
        changes=changes | {"seed": seed},
        members=members,
        perturbed=perturbed,
        label_rest=label_rest,
        ood=ood,
        device=device,
        limit=limit,
        say=typer.echo,
        tell=_tell,
    )
    typer.echo(f"{model} and its model_card.md are written")


def _tell(progress: Any) -> None:
    val = "" if progress.val_mae is None else f", validation {progress.val_mae:.4f} eV/atom"
    typer.echo(
        f"epoch {progress.epoch:.2f}, step {progress.step:,} of {progress.steps:,}: "
        f"training {progress.loss:.4f}{val}; {progress.left_s / 60:.0f} min left"
    )


def wyckoff_language(
    data: Data,
    out: Out,
    epochs: Epochs = None,
    tokens: Annotated[int | None, typer.Option(min=64, help="About as many in a step.")] = None,
    learning_rate: RateOfAdamW = None,
    dropout: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.9, help="Share set to zero between layers. [default: 0]"),
    ] = None,
    exchanged: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Share of crystals read with similar elements in place of theirs. [default: 0.45]",
        ),
    ] = None,
    width: Annotated[int, typer.Option(min=16, help="Numbers that describe a token.")] = 128,
    layers: Annotated[int, typer.Option(min=1, help="Layers of the transformer.")] = 4,
    licence: Licence = "",
    hold_out_benchmark: HoldOut = True,
    limit: Limit = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of weights, order and split.")
    ] = 0,
    device: Device = "cpu",
) -> None:
    """Train a language of Wyckoff positions, which writes crystals of a composition."""
    from nucleate.api.train import train_wyckoff_language

    given = {
        "epochs": epochs,
        "tokens": tokens,
        "learning_rate": learning_rate,
        "dropout": dropout,
        "exchanged": exchanged,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    model = train_wyckoff_language(
        data,
        out,
        changes=changes | {"seed": seed},
        width=width,
        layers=layers,
        licence=licence,
        limit=limit,
        device=device,
        say=typer.echo,
        tell=_tell_language,
        **_withheld(hold_out_benchmark),
    )
    typer.echo(f"{model} and its model_card.md are written")


def _tell_language(progress: Any) -> None:
    val = "" if progress.val is None else f", validation {progress.val:.3f} nats"
    typer.echo(
        f"epoch {progress.epoch:.2f} of {progress.epochs}, step {progress.step:,}: training "
        f"{progress.loss:.3f} nats{val}; {progress.left_s / 60:.0f} min left"
    )


def align(
    data: Annotated[
        Path, typer.Argument(help="What the language was trained on, as for wyckoff-language.")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the alignment; an existing one is continued.")
    ],
    checkpoint: Annotated[
        str, typer.Option(help="Language: the name of a shipped one, or a file.")
    ] = "mp",
    model: Annotated[
        str | None, typer.Option(help="What relaxes the candidates. [default: chgnet]")
    ] = None,
    compositions: Annotated[int, typer.Option(min=1, help="Of the training data.")] = 300,
    samples: Annotated[int, typer.Option(min=1, help="Candidates of each composition.")] = 12,
    most_atoms: Annotated[int, typer.Option(min=1, max=52, help="Of a candidate.")] = 20,
    temperature: Annotated[
        float | None,
        typer.Option(help="eV/atom; candidates weigh exp(-E / temperature). [default: 0.03]"),
    ] = None,
    anchors: Annotated[
        int | None,
        typer.Option(min=0, help="Training crystals read beside each candidate. [default: 3]"),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over compositions.")] = None,
    learning_rate: RateOfAdamW = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes.")] = None,
    hold_out_benchmark: HoldOut = True,
    limit: Limit = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Of compositions, candidates and order.")
    ] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda, for the training.")] = "cpu",
) -> None:
    """Tune a language of Wyckoff positions towards structures of low relaxed energy."""
    from nucleate.api.train import align_wyckoff_language

    if temperature is not None and not 0.0 < temperature < inf:
        raise typer.BadParameter("give eV/atom above 0", param_hint="--temperature")
    given = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "temperature_ev": temperature,
        "anchors": anchors,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    file = align_wyckoff_language(
        data,
        out,
        model=model,
        workers=workers,
        checkpoint=checkpoint,
        compositions=compositions,
        samples=samples,
        most_atoms=most_atoms,
        changes=changes | {"seed": seed},
        limit=limit,
        device=device,
        say=typer.echo,
        tell=_tell_language,
        **_withheld(hold_out_benchmark),
    )
    typer.echo(f"{file} and its model_card.md are written")


def flow(
    data: Data,
    out: Out,
    epochs: Epochs = None,
    pairs: Annotated[
        int | None, typer.Option(min=144, help="About as many pairs of atoms in a step.")
    ] = None,
    learning_rate: RateOfAdamW = None,
    width: Annotated[int, typer.Option(min=8, help="Numbers that describe an atom.")] = 128,
    layers: Annotated[int, typer.Option(min=1, help="Rounds of messages.")] = 4,
    most_atoms: Annotated[
        int, typer.Option(min=1, max=200, help="Largest primitive cell that teaches.")
    ] = 12,
    licence: Licence = "",
    hold_out_benchmark: HoldOut = True,
    limit: Limit = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of weights, order and split.")
    ] = 0,
    device: Device = "cpu",
) -> None:
    """Train a flow, which carries random atoms into crystals of a composition."""
    from nucleate.api.train import train_flow

    given = {"epochs": epochs, "pairs": pairs, "learning_rate": learning_rate}
    changes = {name: value for name, value in given.items() if value is not None}
    model = train_flow(
        data,
        out,
        changes=changes | {"seed": seed},
        width=width,
        layers=layers,
        most_atoms=most_atoms,
        licence=licence,
        limit=limit,
        device=device,
        say=typer.echo,
        tell=_tell_flow,
        **_withheld(hold_out_benchmark),
    )
    typer.echo(f"{model} and its model_card.md are written")


def _withheld(hold_out_benchmark: bool) -> dict[str, Any]:
    return {} if hold_out_benchmark else {"withheld": ()}


def _tell_flow(progress: Any) -> None:
    val = "" if progress.val is None else f", validation {progress.val:.4f}"
    typer.echo(
        f"epoch {progress.epoch:.2f} of {progress.epochs}, step {progress.step:,}: error "
        f"{progress.loss:.4f}{val}; {progress.left_s / 60:.0f} min left"
    )
