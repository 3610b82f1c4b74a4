"""How often a generator has the reference structure, before anything is relaxed."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np

from nucleate.benchmark.rates import RANKS, Row, digest_of, measured_row
from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.reading import guarded
from nucleate.writing import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from nucleate.benchmark.csp import Entry
    from nucleate.crystal.crystal import Crystal
    from nucleate.generate.generator import Generator
    from nucleate.generate.mix import GeneratorMix
    from nucleate.plugins import Component

LARGEST_CELL = 60
"""Atoms; candidates may have as many whatever the size of the reference, which is not given."""

FAILURES_IN_A_ROW = 50


def measure(
    path: Path,
    entries: Sequence[Entry],
    generators: Sequence[Component],
    *,
    known: Sequence[str],
    library: tuple[str, ...] = ("shipped",),
    most: int = RANKS[-1],
    seed: int = 0,
    same_size: bool = False,
    above_hull: dict[str, float] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[Row]:
    """Measure the candidates of every entry under every hold-out; continue a file of before.

    What the file holds of an entry whose structure was replaced is measured again. A file of an
    earlier version, which says nothing of the contents of libraries and structures, is continued
    as it is.

    Parameters
    ----------
    path
        File with one JSON line for each entry and hold-out, written as they are done.
    entries
        The references.
    generators
        What makes the candidates.
    known
        Hold-outs; see :class:`nucleate.library.hold_out.HoldOut`.
    library
        Libraries of known structures.
    most
        Candidates of each entry.
    seed
        Of the generators.
    same_size
        Give the number of atoms of the reference, as in the published match rates.
    above_hull
        eV/atom by the name of the entry, where known.
    report
        Called with a line for each entry.

    Raises
    ------
    InputError
        If a library cannot be read or was replaced, or the file cannot be written or was made
        with other generators, libraries, seed or number of candidates.
    """
    setup = {
        "generators": [item.model_dump(mode="json") for item in generators],
        "library": list(library),
        "contents": _contents(generators, library),
        "most": most,
        "seed": seed,
    }
    if same_size:
        setup["same_size"] = True
    before = _continued(path, setup)
    done = {(row["entry"], row["known"], row.get("crystal")): row for row in before}
    rows = []
    for use in known:
        for entry in entries:
            digest = digest_of(entry.crystal)
            found = done.get((entry.name, use, digest), done.get((entry.name, use, None)))
            if found is not None:
                rows.append(found)
                continue
            space = space_of(entry.crystal, same_size=same_size)
            candidates = _candidates(entry, space, generators, use, library, most, seed)
            row = measured_row(entry, use, candidates, (above_hull or {}).get(entry.name))
            row["crystal"] = digest
            _append(path, row)
            done[entry.name, use, digest] = row
            rows.append(row)
            report(f"{entry.name} {entry.formula} {use}: {len(candidates)} candidates")
    return rows


def space_of(reference: Crystal, *, same_size: bool = False) -> SearchSpace:
    """Return what may be proposed for the composition of a reference."""
    composition = Composition.from_numbers(reference.numbers)
    if same_size:
        units = composition.formula_units_of(reference.numbers) or 1
        return SearchSpace.create(composition, formula_units=(units,), max_atoms=reference.n_atoms)
    return SearchSpace.create(composition, max_atoms=max(LARGEST_CELL, composition.n_atoms))


def drawn(generator: Generator | GeneratorMix, most: int, seed: int) -> list[Crystal]:
    """Return the first candidates of a generator; fewer where it gives nothing 50 times in a row.

    Parameters
    ----------
    generator
        What makes them.
    most
        Candidates.
    seed
        With the number of the trial the seed of each.
    """
    found: list[Crystal] = []
    failures = trial = 0
    while len(found) < most and failures < FAILURES_IN_A_ROW:
        candidate = generator.generate(rng=np.random.default_rng([seed, trial]))
        trial += 1
        failures = failures + 1 if candidate is None else 0
        if candidate is not None:
            generator.note(candidate.origin)
            found.append(candidate.crystal)
    return found


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a file of JSON lines, without one that an interruption cut short."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _candidates(
    entry: Entry,
    space: SearchSpace,
    generators: Sequence[Component],
    known: str,
    library: tuple[str, ...],
    most: int,
    seed: int,
) -> list[Crystal]:
    from nucleate.generate.context import GeneratorContext
    from nucleate.generate.mix import GeneratorMix

    context = GeneratorContext(
        space,
        seed=seed,
        known=known,
        library=library,
        target=entry.crystal,
    )
    built = [(item.build(context), float(getattr(item, "weight", 1.0))) for item in generators]
    sources = [(source, weight) for source, weight in built if source is not None]
    if not sources:
        return []
    return drawn(GeneratorMix(sources), most, seed)


def _contents(generators: Sequence[Component], library: tuple[str, ...]) -> dict[str, str]:
    """Return a digest of each library by its name; all are read, so that none fails later.

    Raises
    ------
    InputError
        If one is missing or damaged.
    """
    from nucleate.library.container import Container
    from nucleate.library.library import Library, path_of

    own = (name for item in generators for name in getattr(item, "library", None) or ())
    names = list(dict.fromkeys([*library, *own]))
    Library.load(names)
    for name in names:
        Container(path_of(name)).check()
    return {name: sha256(path_of(name).read_bytes()).hexdigest()[:16] for name in names}


def _continued(path: Path, setup: Row) -> list[Row]:
    """Return the rows of a file, and write the setup to a new one."""
    rows, text = [], ""
    if path.exists():
        with guarded(str(path), "Choose another --out."):
            text = path.read_text(encoding="utf-8")
            rows = read_rows(path)
        _check_setup(path, rows[0].get("setup", {}) if rows else {}, setup)
    whole = "".join(json.dumps(row) + "\n" for row in ({"setup": setup}, *rows[1:]))
    if whole != text:
        with whole_file(path) as part:
            part.write_text(whole, encoding="utf-8")
    return rows[1:]


def _append(path: Path, row: Row) -> None:
    """Add a row; one that is cut short is left out when the file is continued."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
    except OSError as error:
        raise InputError(
            f"{path} cannot be written ({error.strerror or error}). Make room there, or choose "
            "another folder with --out."
        ) from error


def _check_setup(path: Path, before: Row, setup: Row) -> None:
    """Refuse to continue a file of another setup; one without digests of libraries is taken."""
    if {**before, "contents": None} != {**setup, "contents": None}:
        raise InputError(
            f"{path} was made with other generators, libraries, --seed or --most. Choose another "
            "--out."
        )
    contents = before.get("contents", setup["contents"])
    for name, digest in setup["contents"].items():
        if contents.get(name) != digest:
            raise InputError(
                f"{path} was made with another content of the library {name!r}. Choose another "
                "--out, or put the library of before back."
            )
