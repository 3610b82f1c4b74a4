"""The whole way from a data file to a language with its model card."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from nucleate.fitting.datasets import reduced_formulas
from nucleate.fitting.generator_results import Card, train_and_write
from nucleate.fitting.state import check_out, sizes_of
from nucleate.fitting.wyckoff_language.alignment import (
    AlignmentTrainer,
    AlignmentTraining,
    Judged,
    write_candidates,
)
from nucleate.fitting.wyckoff_language.corpus import MOST_ATOMS, MOST_ORBITS, read_corpora
from nucleate.fitting.wyckoff_language.training import LanguageTrainer, LanguageTraining
from nucleate.generate.wyckoff_language.checkpoint import LANGUAGE, load_language
from nucleate.generate.wyckoff_language.settings import LanguageSettings
from nucleate.networks.device import check_device

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nucleate.fitting.epochs import Progress

CARD = Card(
    sentence="Writes crystals of a composition: space group, Wyckoff positions, cell, coordinates.",
    error="nats per crystal",
    total="all",
    validation="canonical descriptions",
    parts={
        "group": "space group",
        "orbits": "Wyckoff assignment",
        "cell": "cell",
        "places": "free coordinates",
    },
    digits=3,
)


def train_wyckoff_language(
    data: Path,
    out: Path,
    *,
    changes: dict[str, Any] | None = None,
    width: int = 128,
    layers: int = 4,
    licence: str = "",
    withheld: Sequence[str] = (),
    device: str = "cpu",
    limit: int | None = None,
    say: Callable[[str], None] = lambda _: None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Path:
    """Train the language on a data file and return the path of its checkpoint.

    A run that was killed continues from its last state when called again with the same folder;
    the checkpoint is written with every state.

    Parameters
    ----------
    data
        See :func:`~nucleate.fitting.datasets.load_dataset`.
    out
        Folder of sentences, state, checkpoint, ``model_card.md`` and ``learning_curve.png``.
    changes
        Fields of :class:`LanguageTraining` that differ from the defaults.
    width, layers
        Sizes of the network.
    licence
        Licence and source of the data, written into the checkpoint.
    withheld
        Formulas of which no crystal is learned, nor made by an exchange of elements.
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
    settings = replace(LanguageTraining(), **(changes or {}))
    make = partial(LanguageSettings, width, layers, most_atoms=MOST_ATOMS, most_orbits=MOST_ORBITS)
    sizes: LanguageSettings = sizes_of(make)
    check_out(out)
    others = reduced_formulas(withheld)
    train, val, dataset = read_corpora(
        data, out, limit=limit, seed=settings.seed, say=say, withheld=others
    )
    sizes = replace(sizes, most_atoms=train.largest)
    trainer = LanguageTrainer(
        out, sizes, settings, train, val, device=device, withheld=dataset.withheld | others
    )
    count = sum(parameter.numel() for parameter in trainer.network.parameters())
    say(f"{len(train.canonical):,} training crystals, {count:,} parameters")

    facts = {
        "data": dataset.report.lines()[0],
        "licence": licence,
        "crystals": {"train": len(train.canonical), "val": len(val.canonical)},
        "most_atoms": train.largest,
        "parameters": count,
    }
    return train_and_write(trainer, LANGUAGE, CARD, sizes, train.elements, facts, out, tell)


def align_wyckoff_language(
    data: Path,
    out: Path,
    judge: Callable[[Path], tuple[str, Sequence[Judged]]],
    *,
    checkpoint: str = LANGUAGE.shipped,
    compositions: int = 300,
    samples: int = 12,
    most_atoms: int = 20,
    changes: dict[str, Any] | None = None,
    withheld: Sequence[str] = (),
    device: str = "cpu",
    limit: int | None = None,
    say: Callable[[str], None] = lambda _: None,
    tell: Callable[[Progress], None] = lambda _: None,
) -> Path:
    """Tune a language towards low relaxed energies and return the path of its checkpoint.

    An alignment found in ``out`` is continued. The checkpoint is written with every state.

    Parameters
    ----------
    data
        What the language was trained on; see :func:`~nucleate.fitting.datasets.load_dataset`.
    out
        Folder of sentences, candidates, state, checkpoint and model card.
    judge
        Relaxes the structures of a file; returns the name of the model and those that relaxed.
    checkpoint
        Name or path of the language.
    compositions, samples
        Number of training compositions, and of candidates of each.
    most_atoms
        Largest cell of a candidate.
    changes
        Fields of :class:`~nucleate.fitting.wyckoff_language.alignment.AlignmentTraining` that
        differ from the defaults.
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
        If data or checkpoint cannot serve, the device is missing, or the folder holds another
        training.
    """
    check_device(device)
    settings = replace(AlignmentTraining(), **(changes or {}))
    language = load_language(checkpoint)
    check_out(out)
    train, val, dataset = read_corpora(
        data,
        out,
        limit=limit,
        seed=settings.seed,
        say=say,
        withheld=reduced_formulas(withheld),
    )
    file = write_candidates(
        train,
        language,
        out,
        compositions=compositions,
        samples=samples,
        most_atoms=most_atoms,
        seed=settings.seed,
        say=say,
    )
    name, judged = judge(file)
    trainer = AlignmentTrainer(out, language, settings, train, val, judged, device=device)
    found = trainer.account
    say(
        f"{found.crystals:,} distinct crystals of {found.compositions:,} compositions are learned "
        f"from; in {found.lower:,} of these the lowest is not the training crystal; "
        f"{found.unphysical:,} unphysical minima of {name} were left out"
    )
    about = language.about
    facts = {
        "data": dataset.report.lines()[0],
        "licence": about.get("licence", ""),
        "crystals": {"train": len(train.canonical), "val": len(val.canonical)},
        "most_atoms": language.settings.most_atoms,
        "parameters": sum(weight.size for weight in language.state.values()),
        "before": {key: about.get(key) for key in ("training", "epochs_done", "steps")},
        "aligned": {"from": language.digest, "judge": name, **asdict(found)},
    }
    return train_and_write(
        trainer, LANGUAGE, CARD, language.settings, language.elements, facts, out, tell
    )
