"""What ``nucleate prove`` does, as functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.crystal.contacts import minimum_distances
from nucleate.errors import InputError
from nucleate.exact.cells import LIKELY_GROUPS, Task, given_task, tasks_of
from nucleate.exact.certificate import ModelRecord
from nucleate.exact.decorate import decorate
from nucleate.exact.expansion import ClusterExpansion
from nucleate.exact.relaxing import relax_with
from nucleate.exact.scan import Scan, ScanResult, ScanSettings
from nucleate.exact.solver import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from nucleate.crystal.composition import Composition
    from nucleate.exact.certificate import RelaxedRecord
    from nucleate.exact.options import SessionOptions
    from nucleate.exact.relaxing import Relax
    from nucleate.exact.scan import Event
    from nucleate.exact.training import Training


def prove_session(
    composition: Composition,
    options: SessionOptions,
    on_event: Callable[[Event], None] | None = None,
    *,
    relax: Relax | None = None,
) -> ScanResult:
    """Scan, prove, relax and write the results to the folder.

    Parameters
    ----------
    composition
        What to place.
    options
        See :class:`SessionOptions`.
    on_event
        Called with news.
    relax
        Relaxes arrangements; by default the model of the proofs does.

    Raises
    ------
    InputError
        If charges, potentials, cell, group and grid do not fit each other.
    """
    tasks = _tasks(composition, options)
    model = options.source.model(composition.numbers(1).tolist())
    if isinstance(model, ClusterExpansion):
        raise InputError("a cluster expansion has energies on its lattice alone. Give --lattice.")
    record = ModelRecord.of(options.source)
    distances = minimum_distances(composition.elements, scale=options.contacts)
    scan = Scan(
        composition, model, record, tasks, distances, relax or relax_with(model, record.name),
        ScanSettings(
            keep=options.keep, limits=Limits(options.limit_s, options.memory_mb),
            seconds=options.time_s, seed=options.seed,
        ),
        store=options.folder / "scan.jsonl", on_event=on_event,
    )  # fmt: skip
    if options.cell is not None:
        scan.require_possible()
    result = scan.run()
    write_results(result, options.folder)
    return result


def _tasks(composition: Composition, options: SessionOptions) -> list[Task]:
    if options.cell is None:
        if options.grid is not None or options.formula_units is not None:
            raise InputError("--grid and --z belong to a cell. Give --cell too, or leave them out.")
        return tasks_of(
            composition, max_atoms=options.max_atoms, groups=options.groups or LIKELY_GROUPS
        )
    return [
        task
        for group in options.groups or (1,)
        for task in given_task(
            composition, options.cell, group, formula_units=options.formula_units,
            shape=options.grid,
        )
    ]  # fmt: skip


def write_results(result: ScanResult, folder: Path) -> None:
    """Write certificate and relaxed structures, each once, lowest energy first."""
    from nucleate.crystal.files import write_cif

    folder.mkdir(parents=True, exist_ok=True)
    result.certificate.save(folder / "certificate.json")
    for number, end in enumerate(distinct_relaxed(result), 1):
        name = "best.cif" if number == 1 else f"structure-{number}.cif"
        write_cif(folder / name, end.crystal())


def distinct_relaxed(result: ScanResult, most: int = 10) -> list[RelaxedRecord]:
    """Return the lowest relaxed arrangements that differ from each other."""
    from nucleate.crystal.fingerprint import fingerprint, is_duplicate

    found: list[RelaxedRecord] = []
    prints: list[NDArray[np.float32]] = []
    for end in result.relaxed:
        mark = fingerprint(end.crystal())
        if any(is_duplicate(mark, other) for other in prints):
            continue
        prints.append(mark)
        found.append(end)
        if len(found) == most:
            break
    return found


def decorate_session(composition: Composition, lattice: str, options: SessionOptions) -> ScanResult:
    """Find the best ordered decorations of a lattice and write them to the folder.

    Raises
    ------
    InputError
        If the lattice is not known or the cells hold too many atoms.
    """
    result = decorate(composition, lattice, options)
    write_results(result, options.folder)
    return result


FIT_ROUNDS = 6


def fit_session(
    composition: Composition,
    lattice: str,
    training: Training,
    options_of: Callable[[ClusterExpansion], SessionOptions],
    relax: Relax,
    on_note: Callable[[str], None] = lambda _: None,
) -> ScanResult:
    """Find the best decorations by a cluster expansion that knows them, and write them.

    The lowest decorations of each fit are relaxed and added to the training, until they are all
    known or the rounds are used up.

    Parameters
    ----------
    composition, lattice
        What decorates which lattice.
    training
        Energies to fit to.
    options_of
        Returns the options with an expansion as the model.
    relax
        Relaxes a decoration with the model of the training.
    on_note
        Called with what came of the fit.
    """
    rounds = 0
    while True:
        expansion = training.expansion()
        options = options_of(expansion)
        bare = decorate(composition, lattice, options)
        new = training.unknown(bare.certificate)
        if not new or rounds == FIT_ROUNDS:
            break
        training.add(new)
        rounds += 1
    on_note(training.in_words(expansion, rounds, len(new)))
    result = decorate(composition, lattice, options, relax=relax, known=training.known)
    write_results(result, options.folder)
    return result
