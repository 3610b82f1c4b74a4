r"""Known phase fields searched again by ``nucleate map``, without what is known inside them.

    python benchmarks/phase_fields.py fields LIBRARY.nlib
    python benchmarks/phase_fields.py run LIBRARY.nlib --out FOLDER --core-time 2h
    python benchmarks/phase_fields.py run LIBRARY.nlib --out FOLDER --core-time 8m \
        --fields Sr-Hf-O Ni-Sc-Si --rules hull equal --seeds 0
    python benchmarks/phase_fields.py table FOLDER

``LIBRARY.nlib`` holds all that is known, for example ``nucleate library build TABLE.parquet``. For
each field two libraries are made from it: one without any compound of more than two elements of the
field, which the maps are given, and one with the compounds of the field alone, of which those of
more than two elements have at most 24 atoms. The latter are relaxed by the tier of the maps, and
their hull is the truth.

``run`` continues: a map that exists is taken up, with more core time if it is given. Rows
are written to ``FOLDER/phase-fields.csv`` after each map.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import nucleate as nc
from nucleate.benchmark.map_rows import LEVELS_MEV, measured
from nucleate.crystal.composition import Composition
from nucleate.crystal.elements import element
from nucleate.library.library import SHIPPED, SHIPPED_PATH, Library
from nucleate.library.subset import write_subset
from nucleate.mapping.energies import RelaxedReference
from nucleate.mapping.field import field_of
from nucleate.mapping.reading import read_map
from nucleate.mapping.references import references_of
from nucleate.mapping.relaxed import relaxed_crystals
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.store import MapStore
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.library.labels import Protostructure
    from nucleate.mapping.field import Field

LARGEST_CELL = 24
"""Atoms of the known phases of more than two elements."""

COLUMNS = {
    "field": "field",
    "rule": "rule",
    "seed": "seed",
    "core_s": "core s",
    "visited": "visited",
    "compositions": "of",
    "structures": "structures",
    "known": "known",
    "on_grid": "on grid",
    "found": "found",
    "same": "lowest",
    "recovered": "recovered",
    "error_before_mev": "error before",
    "error_mev": "error",
    "missing_mev": "above",
    "new": "new",
    **{f"structures_to_{mev:g}_mev": f"to {mev:g}" for mev in LEVELS_MEV},
    "joint_mev": "joint",
    **{f"joint_structures_to_{mev:g}_mev": f"joint to {mev:g}" for mev in LEVELS_MEV},
}
"""Columns of the printed table with their headings."""


@dataclass(frozen=True, slots=True)
class Case:
    """A field to search again.

    Attributes
    ----------
    system : str
    why : str
        Why it was chosen.
    options : dict
        Further keys of ``[field]``.
    """

    system: str
    why: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def numbers(self) -> list[int]:
        """Atomic numbers of its elements."""
        return sorted(element(symbol).number for symbol in self.system.split("-"))


CASES = (
    Case("Li-Nb-O", "oxide: rock-salt order and several oxidation states of one element"),
    Case("Li-Ge-O", "oxide: silicate-like chains and isolated tetrahedra"),
    Case("La-Ti-O", "oxide: perovskite, its layered relatives, two oxidation states"),
    Case("K-Mg-F", "halide: perovskite and K2NiF4 type"),
    Case("Cs-Ca-F", "halide: the same with large ions"),
    Case("Ba-Zr-S", "chalcogenide: BaZrS3 and its Ruddlesden-Popper phases"),
    Case("Cu-In-Se", "chalcogenide: chalcopyrite and ordered vacancies"),
    Case("Al-Ni-Y", "intermetallic: many structure types and ratios"),
    Case("Ca-Zn-Ge", "intermetallic: three small phases among many binaries"),
    Case("Li-In-Br", "solid electrolyte: Li3InBr6"),
    Case("Li-La-Ti-O", "quaternary: layered perovskites and ion conductors"),
    Case("K-Mg-Zn-F", "quaternary: two perovskite fields that share a corner"),
    Case(
        "Y-Sr-Ti-O",
        "the field of benchmarks/oxide_field.py; lacks SrO, TiO2 and SrTiO3",
        {"oxidation_states": {"Ti": 4}},
    ),
)
"""Ten ternary and two quaternary fields: oxides, halides, chalcogenides, intermetallics and a solid
electrolyte, and one of which a force field has been tried as well. But for the last, the table has
their most important binary compounds, without which the hull means nothing (it lacks SrO, MgO,
Al2O3, LiCl and others), and most of their compounds of three or more elements have primitive cells
of up to 24 atoms."""


def inside(numbers: Sequence[int]) -> Callable[[Protostructure, Any], Any]:
    """Return what says which entries have no element but these."""
    return lambda _, rows: np.isin(rows, numbers).all(axis=1)


def outside(numbers: Sequence[int]) -> Callable[[Protostructure, Any], Any]:
    """Return what says which entries are no compound of three or more of these elements."""
    within = inside(numbers)
    return lambda proto, rows: ~(within(proto, rows) & (len(proto.slots) > 2))


def libraries(case: Case, source: Path, folder: Path) -> tuple[Path, Path]:
    """Return the library without the compounds of a field, and that with nothing else."""
    given, known = folder / f"{case.system}-given.nlib", folder / f"{case.system}-known.nlib"
    for path, keep in ((given, outside(case.numbers)), (known, inside(case.numbers))):
        if not path.exists():
            write_subset(source, path, keep, provenance={"subset": path.stem})
    return given, known


def settings_of(
    case: Case, library: Path, rule: str, seed: int, stop: dict[str, Any]
) -> MapSettings:
    """Return the input of a map that is given a library and the section ``[stop]``."""
    sections = {
        "field": {
            "system": case.system,
            "references": [str(library.resolve())],
            "known_elements": 2,
            "max_atoms": LARGEST_CELL,
            **case.options,
        },
        "search": {"library": [str(library.resolve())], "known": "no-formula", "seed": seed},
        "allocation": {"rule": rule, "seed": seed},
        "stop": stop,
        "run": {"workers": 1},
    }
    return MapSettings.from_dict(sections)


def relaxed_known(
    case: Case, settings: MapSettings, library: Path, folder: Path
) -> list[RelaxedReference]:
    """Return the known compounds of a field, relaxed by the last tier of its maps."""
    data = settings.to_dict()
    data["field"]["references"] = [str(library.resolve())]
    data["search"]["known"] = "all"
    space = field_of(settings)
    items = [
        item
        for item in references_of(space, MapSettings.from_dict(data)).found
        if len(item.composition.items) < 3 or item.crystal.n_atoms <= LARGEST_CELL
    ]
    folder.mkdir(parents=True, exist_ok=True)
    outcomes, reason, _ = relaxed_crystals(
        [(item.name, item.crystal) for item in items],
        settings.tier[-1],
        settings,
        folder,
        lambda done, whole: print(f"{case.system}: known {done}/{whole}", file=sys.stderr),
    )
    if reason:
        raise SystemExit(reason)
    return [
        RelaxedReference(item.name, item.composition, found.enthalpy_per_atom, found.crystal)
        for item, found in zip(items, outcomes, strict=True)
        if found is not None
    ]


def run(arguments: argparse.Namespace) -> None:
    """Search the fields by each rule, and write a row for each map."""
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    source = SHIPPED_PATH if str(arguments.library) == SHIPPED else arguments.library
    for case in chosen(arguments.fields):
        given, known = libraries(case, source, out)
        references: list[RelaxedReference] = []
        stop = {"core_time": arguments.core_time, "expected_change_mev": arguments.expected_change}
        for seed in arguments.seeds:
            for rule in arguments.rules:
                settings = settings_of(case, given, rule, seed, stop)
                if not references:
                    references = relaxed_known(case, settings, known, out / f"{case.system}-known")
                if not arguments.only_measure:
                    search(settings, out / f"{case.system}-{rule}-{seed}")
                write_rows(out, case, references)
    print(table(read_rows(out / "phase-fields.csv")))


def search(settings: MapSettings, folder: Path) -> None:
    """Search a field; end the program where somebody asks for the end."""
    reason = nc.map(settings, folder=folder, display=False).status()["stop_reason"]
    if is_request(reason):
        raise SystemExit(reason)


def write_rows(out: Path, case: Case, references: list[RelaxedReference]) -> None:
    """Measure the maps of a field that exist, and write their rows."""
    folders = [path for path in sorted(out.glob(f"{case.system}-*")) if MapStore.exists(path)]
    maps = [read_map(path) for path in folders]
    for state in maps:
        write_row(out / "phase-fields.csv", measured(case.system, state, references, maps))


def chosen(systems: Sequence[str] | None) -> list[Case]:
    """Return the fields of these names, all by default."""
    named = {case.system: case for case in CASES}
    return [named[system] for system in systems or named]


def write_row(path: Path, row: dict[str, Any]) -> None:
    """Write a row in place of the one of the same map."""
    rows = [other for other in read_rows(path) if not _same_map(other, row)] + [row]
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(row))
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file, none if it does not exist."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _same_map(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(str(one[key]) == str(other[key]) for key in ("field", "rule", "seed"))


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as a Markdown table."""
    lines = [f"| {' | '.join(COLUMNS.values())} |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        cells = ["–" if row[key] in ("", None) else str(row[key]) for key in COLUMNS]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def list_fields(arguments: argparse.Namespace) -> None:
    """Print the fields with what is known of them."""
    library = Library.load([str(arguments.library)])
    for case in CASES:
        space = field_of(MapSettings.from_dict({"field": {"system": case.system} | case.options}))
        known = known_line(library, case, space)
        print(f"| {case.system} | {case.why} | {len(space.inner)} | {known} |")


def known_line(library: Library, case: Case, space: Field) -> str:
    """Return the known compounds of three or more elements with sizes; * is not on the grid."""
    smallest: dict[str, int] = {}
    for number in library.within(case.numbers):
        crystal = library.crystal(number)
        if len(set(crystal.numbers.tolist())) > 2:
            formula = Composition.from_numbers(crystal.numbers).formula
            smallest[formula] = min(crystal.n_atoms, smallest.get(formula, crystal.n_atoms))
    marks = {name: "" if space.index_of(name) is not None else "*" for name in smallest}
    ordered = sorted(smallest.items(), key=lambda item: item[1])
    return ", ".join(f"{name}{marks[name]} ({atoms})" for name, atoms in ordered)


def show(arguments: argparse.Namespace) -> None:
    """Print the table of a folder."""
    print(table(read_rows(arguments.folder / "phase-fields.csv")))


def main() -> None:
    """Run a sub-command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    listing = commands.add_parser("fields")
    listing.add_argument("library", type=Path)
    listing.set_defaults(run=list_fields)
    running = commands.add_parser("run")
    running.add_argument("library", type=Path, help="a library file, or: shipped")
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--fields", nargs="+", choices=[case.system for case in CASES])
    running.add_argument("--rules", nargs="+", default=["hull", "equal"])
    running.add_argument("--seeds", nargs="+", type=int, default=[0])
    running.add_argument("--core-time", default="2h")
    running.add_argument(
        "--expected-change",
        type=float,
        default=0.0,
        metavar="MEV",
        help="end a map where its hull is expected to change by less (meV/atom); 1 is the default "
        "of nucleate map, and 0, that of this program, spends the whole core time",
    )
    running.add_argument("--only-measure", action="store_true", help="the rows of maps as they are")
    running.set_defaults(run=run)
    shown = commands.add_parser("table")
    shown.add_argument("folder", type=Path)
    shown.set_defaults(run=show)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
