"""The model card and learning curve of a trained language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PARTS = {
    "group": "space group",
    "orbits": "Wyckoff assignment",
    "cell": "cell",
    "places": "free coordinates",
}


def format_model_card(about: Mapping[str, Any]) -> str:
    """Return a model card in Markdown from the facts in a checkpoint."""
    sizes = about["crystals"]
    lines = [
        f"# {about['name']}",
        "",
        "Writes crystals of a composition: space group, Wyckoff positions, cell, coordinates.",
        "",
        f"Data: {about['data']}.",
    ]
    if about.get("licence"):
        lines += [f"Licence and source of the data: {about['licence']}"]
    lines += [
        "",
        (
            f"{about['parameters']:,} parameters; {sizes['train']:,} training and "
            f"{sizes['val']:,} validation crystals of at most {about['most_atoms']} atoms; "
            f"{about['epochs_done']} epochs, {about['steps']:,} steps."
        ),
    ]
    if about["history"]:
        last = about["history"][-1]
        lines += [
            "",
            "| validation, nats per crystal | |",
            "|---|---|",
            f"| all | {last['val']:.3f} |",
        ]
        lines += [f"| {text} | {last[name]:.3f} |" for name, text in PARTS.items()]
    lines += ["", f"Trained with nucleate {about['code_version']}.", ""]
    return "\n".join(lines)


def plot_learning_curve(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Draw the nats of training and validation crystals by epoch into an image file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.5), layout="constrained")
    axes = figure.subplots()
    epochs = [entry["epoch"] for entry in history]
    for key, label, colour in (
        ("train", "training, mean over the epoch", "tab:blue"),
        ("val", "validation, canonical descriptions", "tab:orange"),
    ):
        axes.plot(epochs, [entry[key] for entry in history], color=colour, label=label)
    axes.set(xlabel="epoch", ylabel="nats per crystal")
    axes.legend()
    figure.savefig(path, dpi=150)
