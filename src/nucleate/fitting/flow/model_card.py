"""The model card and learning curve of a trained flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PARTS = {
    "atoms": "velocities of the atoms (fractional)",
    "cell": "velocities of the cell (log-strain)",
}


def format_model_card(about: Mapping[str, Any]) -> str:
    """Return a model card in Markdown from the facts in a checkpoint."""
    sizes = about["crystals"]
    lines = [
        f"# {about['name']}",
        "",
        "Carries random atoms in a random cell into a crystal of their composition.",
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
            "| validation, mean squared error | |",
            "|---|---|",
            f"| weighted sum | {last['val']:.4f} |",
        ]
        lines += [f"| {text} | {last[name]:.4f} |" for name, text in PARTS.items()]
    lines += ["", f"Trained with nucleate {about['code_version']}.", ""]
    return "\n".join(lines)


def plot_learning_curve(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Draw the errors of training and validation crystals by epoch into an image file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.5), layout="constrained")
    axes = figure.subplots()
    epochs = [entry["epoch"] for entry in history]
    for key, label, colour in (
        ("train", "training, mean over the epoch", "tab:blue"),
        ("val", "validation, running mean of the weights", "tab:orange"),
    ):
        axes.plot(epochs, [entry[key] for entry in history], color=colour, label=label)
    axes.set(xlabel="epoch", ylabel="mean squared error of velocities")
    axes.legend()
    figure.savefig(path, dpi=150)
