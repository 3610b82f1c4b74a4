"""Made-up runs: outcomes of chosen energies, stores that hold them, and a strategy that draws both.

Energies are multiples of 1/8 eV/atom and crystals are of few kinds, so that ties, copies and
structures that an added tier makes equal do occur.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ase.build import bulk
from hypothesis import strategies as st

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Outcome, Relaxed
from nucleate.run.store import Store
from nucleate.search.record import Record, SearchUpdate, TierOutcome

EV = LevelOfTheory("ase", "3", "EMT")
PROXY = LevelOfTheory("nucleate", "0", "SPP", unit="arbitrary")
FCC = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
KINDS = {
    1: (FCC, Crystal.from_ase(bulk("Cu", "bcc", a=2.87))),
    2: (
        Crystal.from_ase(bulk("Cu", "hcp", a=2.55, c=4.17)),
        Crystal.from_ase(bulk("Cu", "fcc", a=3.6).repeat((2, 1, 1))),
    ),
}
SOURCES = ("blocks", "symmetric", "move:swap-two-atoms", "move:reshape", "my.moves:Kind")
REASONS = (FailReason.TIMEOUT, FailReason.EXPLODED, FailReason.TOO_CLOSE)


def relaxed(
    crystal: Crystal, energy: float, *, level: LevelOfTheory = EV, converged: bool = True
) -> Relaxed:
    """Return an outcome with this energy per atom, without forces or stress."""
    n = crystal.n_atoms
    return Relaxed(
        crystal=crystal, energy=n * energy, enthalpy=n * energy, forces=np.zeros((n, 3)),
        stress_gpa=np.zeros((3, 3)), max_force=0.0, max_stress_gpa=0.0, converged=converged,
        steps=1, evaluations=1, wall_s=0.5, level=level,
    )  # fmt: skip


def record(
    number: int,
    *outcomes: tuple[str, Outcome],
    crystal: Crystal = FCC,
    origin: Origin | None = None,
    **values: Any,
) -> Record:
    """Return a record with an outcome per tier."""
    steps = tuple(TierOutcome(tier, outcome) for tier, outcome in outcomes)
    return Record(number, Candidate(crystal, origin or Origin("blocks")), steps, **values)


@dataclass(frozen=True)
class MadeRun:
    """What a store is to hold.

    ``retried`` are outcomes written behind those of the records: number, tier, outcome.
    """

    told: list[tuple[Record, SearchUpdate]]
    ladder: tuple[str, ...] = ("low", "high")
    added: tuple[str, ...] = ()
    retried: list[tuple[int, str, Outcome]] = field(default_factory=list)


@contextmanager
def stored(run: MadeRun) -> Iterator[Path]:
    """Write a run into a folder that is there for a while."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), run)
        yield Path(folder)


def write(folder: Path, run: MadeRun) -> None:
    """Write a run into a folder."""
    tiers = [{"name": name} for name in run.ladder]
    meta = {"input": {"tier": tiers}, "formula": "Cu", "seed": 0}
    with Store.create(folder, meta) as store:
        for name in run.added:
            store.add_tier(0.0, name, {"source": "refine", "settings": {}})
        for item, update in run.told:
            store.add_candidate(item.number, item.candidate)
            for place, step in enumerate(item.outcomes):
                store.add_outcome(item.number, place, step.tier, step.outcome)
            store.add_record(item, update)
        for number, tier, outcome in run.retried:
            store.append_outcome(number, tier, outcome)
        store.commit()


def energies() -> st.SearchStrategy[float]:
    """Draw energies in eV/atom with many ties."""
    return st.integers(-16, 16).map(lambda steps: steps / 8.0)


@st.composite
def outcomes(draw: st.DrawFn, kinds: Sequence[Crystal], level: LevelOfTheory = EV) -> Outcome:
    """Draw a relaxed or, seldom, a failed outcome."""
    if draw(st.integers(0, 3)) == 0:
        return Failed(draw(st.sampled_from(REASONS)), "because")
    crystal = draw(st.sampled_from(kinds))
    return relaxed(crystal, draw(energies()), level=level, converged=draw(st.booleans()))


@st.composite
def made_runs(draw: st.DrawFn, *, most: int = 9, with_added: bool = True) -> MadeRun:
    """Draw a run of two tiers, the second of which sees some of the records, and one added."""
    added = ("dft",) if with_added and draw(st.booleans()) else ()
    numbers = draw(st.permutations(range(draw(st.integers(0, most)))))
    told: list[tuple[Record, SearchUpdate]] = []
    retried: list[tuple[int, str, Outcome]] = []
    for place, number in enumerate(numbers):
        kinds = KINDS[draw(st.sampled_from([1, 2]))]
        steps: list[tuple[str, Outcome]] = []
        if draw(st.integers(0, 5)):
            steps.append(("low", draw(outcomes(kinds, PROXY))))
            if isinstance(steps[-1][1], Relaxed) and draw(st.booleans()):
                steps.append(("high", draw(outcomes(kinds))))
        if added and steps and draw(st.booleans()):
            outcome = draw(outcomes(kinds))
            steps.append(("dft", outcome))
            if isinstance(outcome, Failed) and draw(st.booleans()):
                retried.append((number, "dft", draw(outcomes(kinds))))
        known = [item.number for item, _ in told]
        update = SearchUpdate(
            new_minimum=draw(st.booleans()),
            duplicate_of=draw(st.sampled_from([None, *known])),
            melted=draw(st.booleans()),
            current=draw(st.sampled_from([None, *known, number])),
        )
        origin = Origin(draw(st.sampled_from(SOURCES)), tuple(known[-2:]))
        item = record(
            number, *steps, crystal=kinds[0], origin=origin, duplicate_of=update.duplicate_of,
            finished_s=float(place), core_s=2.0 * place,
        )  # fmt: skip
        told.append((item, update))
    return MadeRun(told, added=added, retried=retried)


def by_number(told: Sequence[tuple[Record, SearchUpdate]]) -> dict[int, Record]:
    """Return the records by their numbers."""
    return {item.number: item for item, _ in told}
