"""What a training of a generator writes: checkpoint, model card and learning curve."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import nucleate
from nucleate.generate.trained import Trained, arrays_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nucleate.fitting.epochs import Progress
    from nucleate.generate.trained import TrainedKind

MODEL = "model.safetensors"


@dataclass(frozen=True, slots=True)
class Card:
    """How the errors of a kind of generator are named.

    Attributes
    ----------
    sentence : str
        What the generator does.
    error : str
        What the figures of the history are, with their unit.
    total : str
        Name of the error that is minimised.
    validation : str
        What the validation error of the learning curve is of.
    parts : dict of str to str
        Names of the parts of the error by their keys in the history.
    digits : int
        After the point.
    """

    sentence: str
    error: str
    total: str
    validation: str
    parts: Mapping[str, str]
    digits: int


def train_and_write(
    trainer: Any,
    kind: TrainedKind,
    card: Card,
    sizes: Any,
    elements: tuple[int, ...],
    facts: Mapping[str, Any],
    out: Path,
    tell: Callable[[Progress], None],
) -> Path:
    """Train to the end and return the path of the checkpoint.

    Checkpoint, card and learning curve are written with every state.

    Parameters
    ----------
    trainer
        An :class:`~nucleate.fitting.epochs.EpochTrainer` that has its data.
    kind, card
        What is trained, and how its errors are named.
    sizes
        Settings of the network, of ``kind.settings``.
    elements
        Atomic numbers of the training crystals.
    facts
        What is known of data and training before it begins, for checkpoint and card: ``data``,
        ``licence``, ``crystals`` (numbers by part), ``most_atoms`` and ``parameters``.
    out
        Folder that all is written into.
    tell
        Called with the progress.
    """
    drawn = 0

    def write() -> None:
        nonlocal drawn
        about = {
            "name": out.name,
            **facts,
            "training": asdict(trainer.schedule),
            "schedules": trainer.schedules,
            "epochs_done": trainer.epoch,
            "steps": trainer.step,
            "history": trainer.history,
            "code_version": nucleate.__version__,
        }
        Trained(kind, sizes, arrays_of(trainer.mean), elements, about).save(out / MODEL)
        (out / "model_card.md").write_text(format_card(about, card), encoding="utf-8")
        (out / "learning_curve.json").write_text(json.dumps(trainer.history, indent=1))
        if len(trainer.history) != drawn:
            plot_learning_curve(out / "learning_curve.png", trainer.history, card)
            drawn = len(trainer.history)

    trainer.run(tell=tell, saved=write)
    write()
    return out / MODEL


def format_card(about: Mapping[str, Any], card: Card) -> str:
    """Return a model card in Markdown from the facts in a checkpoint."""
    sizes = about["crystals"]
    lines = [f"# {about['name']}", "", card.sentence, "", f"Data: {about['data']}."]
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
    if len(about.get("schedules", ())) > 1:
        lines += ["", _changes(about["schedules"])]
    if about.get("aligned"):
        lines += ["", _alignment(about["aligned"])]
    if about["history"]:
        last = about["history"][-1]
        rows = {"val": card.total, **card.parts}
        lines += ["", f"| validation, {card.error} | |", "|---|---|"]
        lines += [f"| {text} | {last[name]:.{card.digits}f} |" for name, text in rows.items()]
    lines += ["", f"Trained with nucleate {about['code_version']}.", ""]
    return "\n".join(lines)


def _changes(schedules: Sequence[Mapping[str, Any]]) -> str:
    """Return how the schedule was changed on the way."""
    parts = []
    for before, now in pairwise(schedules):
        changed = [
            f"{key} = {now[key]}" for key in now if key != "step" and before.get(key) != now[key]
        ]
        parts.append(f"from step {now['step'] + 1:,} on {', '.join(changed)}")
    return f"The schedule was changed: {'; '.join(parts)}."


def _alignment(about: Mapping[str, Any]) -> str:
    return (
        f"It began with the weights {about['from']} and was tuned towards low energies of "
        f"{about['judge']}: it learned {about['crystals']:,} relaxed crystals of "
        f"{about['compositions']:,} training compositions, low ones more often. In "
        f"{about['lower']:,} of these the lowest is not the training crystal."
    )


def plot_learning_curve(path: Path, history: Sequence[Mapping[str, float]], card: Card) -> None:
    """Draw the errors of training and validation crystals by epoch into an image file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.0, 3.5), layout="constrained")
    axes = figure.subplots()
    epochs = [entry["epoch"] for entry in history]
    for key, label, colour in (
        ("train", "training, mean over the epoch", "tab:blue"),
        ("val", f"validation, {card.validation}", "tab:orange"),
    ):
        values = [entry[key] for entry in history]
        axes.plot(epochs, values, color=colour, label=label, marker="o", markersize=3)
    axes.set(xlabel="epoch", ylabel=card.error)
    axes.legend()
    figure.savefig(path, dpi=150)
