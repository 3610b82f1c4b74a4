"""A language is tuned to what an energy model puts low, on compositions of its own training.

The language writes candidates of training compositions, the model relaxes them, and the language
learns what they became, a low one more often (reward-weighted likelihood: Peters and Schaal, ICML
2007). Between them it reads crystals of its training again, so that it forgets little.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.composition import Composition
from nucleate.crystal.files import write_extxyz
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.fitting.state import digest_of
from nucleate.fitting.wyckoff_language.corpus import (
    corpus_of,
    descriptions_of,
    joined,
    sentence_at,
)
from nucleate.fitting.wyckoff_language.lessons import batches
from nucleate.fitting.wyckoff_language.training import LanguageTrainer, LanguageTraining
from nucleate.generate.distinct import distinct
from nucleate.generate.wyckoff_language.generator import WyckoffLanguageGenerator
from nucleate.generate.wyckoff_language.sentence import crystal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from nucleate.crystal.crystal import Crystal
    from nucleate.fitting.wyckoff_language.corpus import Corpus
    from nucleate.generate.trained import Trained

SAME_EV_PER_ATOM = 1e-3
"""What relaxes less than this below the training crystal is not lower."""

UNPHYSICAL_EV_PER_ATOM = 0.2
"""What relaxes further below the training crystal is taken for an unphysical minimum."""

CANDIDATES, REQUEST = "candidates.extxyz", "candidates.json"


@dataclass(frozen=True, slots=True)
class AlignmentTraining(LanguageTraining):
    """How a language is aligned.

    Attributes
    ----------
    temperature_ev : float
        eV/atom; a relaxed candidate is read in proportion to exp(-E / temperature).
    anchors : int
        Crystals of the training that are read beside each relaxed candidate.
    """

    epochs: int = 10
    learning_rate: float = 2e-4
    warmup_steps: int = 20
    exchanged: float = 0.0
    temperature_ev: float = 0.03
    anchors: int = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate that was relaxed.

    Attributes
    ----------
    composition : int
        Which of the compositions it is of.
    is_own : bool
        Whether it is the training crystal.
    crystal : Crystal
        As relaxed.
    energy : float
        eV/atom.
    """

    composition: int
    is_own: bool
    crystal: Crystal
    energy: float


@dataclass(frozen=True, slots=True)
class Account:
    """What was made of the candidates.

    Attributes
    ----------
    compositions : int
        With at least two distinct relaxed crystals.
    crystals : int
        Distinct ones that are learned from.
    lower : int
        Compositions whose lowest is another one than the training crystal.
    unphysical : int
        Candidates that were left out as unphysical minima of the model.
    """

    compositions: int
    crystals: int
    lower: int
    unphysical: int


def write_candidates(
    corpus: Corpus,
    language: Trained,
    out: Path,
    *,
    compositions: int,
    samples: int,
    most_atoms: int,
    seed: int,
    say: Callable[[str], None],
) -> Path:
    """Write training crystals and what the language makes of their compositions; return the file.

    A file of before is kept. The name of a frame is the number of its composition and its own,
    0 for the training crystal.

    Raises
    ------
    InputError
        If there are no such crystals, or the folder has candidates of another language or number.
    """
    path = out / CANDIDATES
    request = {
        "language": language.digest,
        "compositions": compositions,
        "samples": samples,
        "most_atoms": most_atoms,
        "seed": seed,
        "data": digest_of(corpus),
    }
    _check_request(out / REQUEST, request)
    if not path.is_file():
        part = path.with_suffix(".part")
        part.unlink(missing_ok=True)
        chosen = chosen_crystals(corpus, compositions, most_atoms, seed)
        for number, crystal in enumerate(chosen):
            made = _written(language, crystal, samples, seed + number)
            frames = [(f"{number}-{k}", item) for k, item in enumerate([crystal, *made])]
            write_extxyz(part, frames, append=True)
            if (number + 1) % 50 == 0:
                say(f"candidates of {number + 1} of {compositions} compositions")
        if not part.is_file():
            raise InputError(
                f"no training crystal of at most {most_atoms} atoms; raise --most-atoms"
            )
        part.replace(path)
    return path


def _check_request(path: Path, request: dict[str, str | int]) -> None:
    """Keep what was asked for; raise InputError where something else was."""
    if path.is_file():
        before = json.loads(path.read_text())
        for key, value in request.items():
            if before.get(key, value) != value:
                raise InputError(
                    f"{path.parent} holds candidates of {key} = {before.get(key)}, not {value}; "
                    "choose another --out"
                )
        return
    part = path.with_suffix(".part.json")
    part.write_text(json.dumps(request))
    part.replace(path)


def chosen_crystals(corpus: Corpus, number: int, most_atoms: int, seed: int) -> Iterator[Crystal]:
    """Return random crystals of a corpus, one of each composition."""
    seen: set[str] = set()
    for place in np.random.default_rng([seed, 31]).permutation(corpus.canonical):
        sentence = sentence_at(corpus, int(place))
        if sentence.counts.sum() > most_atoms:
            continue
        formula = Composition.from_numbers(np.repeat(sentence.numbers, sentence.counts)).formula
        crystal = None if formula in seen else crystal_of(sentence)
        if crystal is None:
            continue
        seen.add(formula)
        yield crystal
        if len(seen) == number:
            return


def shares(energies: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return how often each of some crystals of a composition is read.

    Parameters
    ----------
    energies
        eV/atom, shape (n,).
    temperature
        eV/atom.

    Returns
    -------
    ndarray of float64, shape (n,)
        They sum to one.
    """
    weights = np.exp(-(energies - energies.min()) / temperature)
    return weights / weights.sum()


class AlignmentTrainer(LanguageTrainer):
    """Trains a language further on relaxed candidates, by chance in proportion to their weight.

    Parameters
    ----------
    folder : Path
        Where the state is kept; a state found there is resumed.
    language : Trained
        Where it begins.
    settings : AlignmentTraining
        How to train.
    train, val : Corpus
        Sentences of the first training.
    judged : sequence of Judged
        Relaxed candidates.
    device : str
        ``cpu`` or ``cuda``.

    Raises
    ------
    InputError
        If no composition has two distinct crystals.
    """

    settings: AlignmentTraining

    def __init__(
        self,
        folder: Path,
        language: Trained,
        settings: AlignmentTraining,
        train: Corpus,
        val: Corpus,
        judged: Sequence[Judged],
        *,
        device: str = "cpu",
    ) -> None:
        self._own = train.canonical
        self._choices: list[tuple[NDArray[np.int64], NDArray[np.float64]]] = []
        learned, self.account = self._rewarded(judged, settings, len(train))
        whole = joined([train, learned])
        super().__init__(
            folder,
            language.settings,
            settings,
            whole,
            val,
            device=device,
            start=language.state,
            identity={"temperature_ev": settings.temperature_ev, "anchors": settings.anchors},
        )

    def plan(self) -> list[NDArray[np.int64]]:
        """Return the batches of the present pass."""
        rng = np.random.default_rng([self.settings.seed, 31, self.epoch])
        picked = [int(rng.choice(places, p=weights)) for places, weights in self._choices]
        beside = rng.choice(self._own, min(self.settings.anchors * len(picked), self._own.size))
        chosen = np.concatenate([np.array(picked), beside])
        return list(batches(self._lengths, chosen, self.settings.tokens, rng))

    def _rewarded(
        self, judged: Sequence[Judged], settings: AlignmentTraining, before: int
    ) -> tuple[Corpus, Account]:
        """Return the sentences of distinct relaxed crystals, and note where and how likely."""
        groups: dict[int, list[Judged]] = defaultdict(list)
        for item in judged:
            groups[item.composition].append(item)
        sentences, lower, unphysical = [], 0, 0
        for number, items in sorted(groups.items()):
            own = [item.energy for item in items if item.is_own]
            if not own:  # the training crystal failed: nothing says what is unphysical
                continue
            floor = own[0] - UNPHYSICAL_EV_PER_ATOM
            kept = sorted((i for i in items if i.energy >= floor), key=lambda i: i.energy)
            unphysical += len(items) - len(kept)
            kept = [kept[k] for k in distinct([i.crystal for i in kept])]
            rng = np.random.default_rng([settings.seed, 37, number])
            told = [(item, descriptions_of(item.crystal, rng)) for item in kept]
            told = [(item, found) for item, found in told if found]
            if len(told) < 2:  # nothing to choose between
                continue
            first = before + sum(len(found) for found in sentences)
            places = first + np.cumsum([0, *(len(found) for _, found in told[:-1])])
            energies = np.array([item.energy for item, _ in told])
            self._choices.append((places, shares(energies, settings.temperature_ev)))
            lower += told[0][0].energy < own[0] - SAME_EV_PER_ATOM
            sentences += [found for _, found in told]
        if not sentences:
            raise InputError(
                "no composition has two distinct relaxed candidates; raise --compositions or "
                "--samples"
            )
        account = Account(len(self._choices), len(sentences), lower, unphysical)
        return corpus_of(sentences), account


def _written(language: Trained, crystal: Crystal, samples: int, seed: int) -> list[Crystal]:
    """Return what the language makes of the composition and size of a crystal."""
    composition = Composition.from_numbers(crystal.numbers)
    units = composition.formula_units_of(crystal.numbers)
    assert units is not None
    space = SearchSpace.create(composition, max_atoms=crystal.n_atoms, formula_units=(units,))
    pool = WyckoffLanguageGenerator(
        space, language, number=samples, explore=True, seed=seed
    ).make_pool()
    return [member.crystal for member in pool.members]
