"""The model card and learning curve of a trained network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

KINDS = {"train": "training", "val": "validation"}


def format_model_card(about: Mapping[str, Any]) -> str:
    """Return a model card in Markdown from the facts in a checkpoint."""
    lines = [f"# {about['name']}", "", f"Predicts: {about['target']}.", ""]
    lines += [f"Data: {about['data']}.", f"Split: {about['split']}.", ""]
    if about.get("also"):
        lines += [f"Also learnt from: {'; '.join(about['also'])}.", ""]
    if about.get("networks", 1) > 1:
        lines += [f"The mean of {about['networks']} networks.", ""]
    sizes = ", ".join(f"{name} {count:,}" for name, count in about["sizes"].items())
    lines += [f"Sizes: {sizes}.", "", "| set | MAE (eV/atom) |", "|---|---|"]
    lines += [f"| {name} | {mae:.4f} |" for name, mae in about["mae_ev_per_atom"].items()]
    for split, classes in about.get("per_chemistry", {}).items():
        lines += ["", f"By chemistry, {split}:", "", "| class | crystals | MAE (eV/atom) |"]
        lines += ["|---|---|---|"]
        lines += [
            f"| {name} | {entry['count']:,} | {entry['mae_ev_per_atom']:.4f} |"
            for name, entry in classes.items()
        ]
    if about.get("perturbed_ranking"):
        lines += ["", "Perturbed copies of validation crystals ranked above their parents:", ""]
        lines += ["| kind | copies | share |", "|---|---|---|"]
        lines += [
            f"| {name} | {entry['count']:,} | {entry['above_parent']:.3f} |"
            for name, entry in about["perturbed_ranking"].items()
        ]
    lines += ["", f"Trained with nucleate {about['code_version']}.", ""]
    return "\n".join(lines)


def plot_learning_curve(path: Path, histories: Sequence[Sequence[Mapping[str, float]]]) -> None:
    """Draw training and validation errors of each network by epoch into an image file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.5), layout="constrained")
    axes = figure.subplots()
    for number, history in enumerate(histories):
        epochs = [entry["epoch"] for entry in history]
        for kind, colour in (("train", "tab:blue"), ("val", "tab:orange")):
            values = [entry[f"{kind}_mae"] for entry in history]
            axes.plot(epochs, values, color=colour, label=None if number else KINDS[kind])
    axes.set(xlabel="epoch", ylabel="MAE (eV/atom)", yscale="log")
    axes.legend()
    figure.savefig(path, dpi=150)
