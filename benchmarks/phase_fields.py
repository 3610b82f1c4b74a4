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
from nucleate.benchmark.phase_fields import (
    Recovery,
    course,
    difference,
    hull_of,
    new_phases,
    recovered_by_judge,
    recoveries,
    same_structure,
    structures_to_reach,
    without_refuted,
)
from nucleate.crystal.composition import Composition
from nucleate.crystal.elements import element
from nucleate.library.library import SHIPPED, SHIPPED_PATH, Library
from nucleate.library.subset import write_subset
from nucleate.mapping.energies import RelaxedReference
from nucleate.mapping.field import field_of
from nucleate.mapping.judged import JUDGED, judged_missing
from nucleate.mapping.reading import MapState, read_map
from nucleate.mapping.references import references_of
from nucleate.mapping.relaxed import relaxed_crystals
from nucleate.mapping.settings import MapSettings
from nucleate.mapping.store import MapStore
from nucleate.signals import is_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nucleate.library.labels import Protostructure
    from nucleate.mapping.field import Field
    from nucleate.mapping.hull import Hull

LARGEST_CELL = 24
"""Atoms of the known phases of more than two elements."""

LEVELS_MEV = (20.0, 10.0, 5.0, 2.0)
"""Hull errors of which it is stated after how many structures they are reached."""


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


def measured(
    case: Case, state: MapState, references: list[RelaxedReference], maps: Sequence[MapState]
) -> dict[str, Any]:
    """Return the row of a map; ``maps`` are all of its field, itself included.

    Hull errors are those of the search, before the tight relaxations of a final phase.
    """
    energies = [(item.composition, item.energy) for item in references]
    known = hull_of(state.field, energies)
    others = [item for one in maps for item in searched_energies(one)]
    joint = hull_of(state.field, energies + others)
    steps = course(state.field, state.energies.references, state.events, known)
    joint_steps = course(state.field, state.energies.references, state.events, joint)
    now = steps[-1][1]
    found, new = recoveries(state, references, known), new_phases(state, references, known)
    sites = state.energies.sites
    rule = state.meta["input"]["allocation"]
    recovered = sum(item.is_recovered for item in found)
    ends = [data for _, _, kind, _, data in state.events if kind == "stop"]
    return {
        "field": case.system,
        "rule": rule["rule"],
        "seed": rule["seed"],
        "core_s": round(max(event[1] for event in state.events), 1),
        "compositions": len(state.field.inner),
        "visited": sum(site.n_structures > 0 for site in sites),
        "structures": sum(site.n_structures for site in sites),
        "failed": sum(site.n_failed for site in sites),
        "known": len(found),
        "on_grid": sum(item.on_grid for item in found),
        "found": sum(item.is_found for item in found),
        "same": sum(item.is_same for item in found),
        "recovered": recovered,
        "share": round(recovered / len(found), 3) if found else None,
        "error_before_mev": round(steps[0][1].mean, 2),
        "error_mev": round(now.mean, 2),
        "missing_mev": round(now.missing, 2),
        "lower_mev": round(now.lower, 2),
        "new": len(new),
        "new_of_known": sum(item.has_known for item in new),
        **{f"structures_to_{mev:g}_mev": structures_to_reach(steps, mev) for mev in LEVELS_MEV},
        "joint_before_mev": round(joint_steps[0][1].mean, 2),
        "joint_mev": round(joint_steps[-1][1].mean, 2),
        **{
            f"joint_structures_to_{mev:g}_mev": structures_to_reach(joint_steps, mev)
            for mev in LEVELS_MEV
        },
        "phases": "; ".join(
            f"{item.formula} {outcome_of(item)}"
            f" {'' if item.height_mev is None else format(item.height_mev, '+.1f')}".rstrip()
            + ("" if item.on_grid else " (not on the grid)")
            for item in found
        ),
        "new_phases": "; ".join(f"{item.formula} {-item.below_mev:.1f}" for item in new),
        **second_opinion(state, references, known),
        "decisions_s": round(sum(data.get("decisions_s", 0.0) for data in ends), 1),
        "ended": ends[-1]["reason"] if ends else "",
    }


def searched_energies(state: MapState) -> list[tuple[Composition, float]]:
    """Return the energies that the visits of a map have reached, without tight relaxations."""
    found = []
    for _, _, kind, formula, data in state.events:
        place = None if formula is None else state.field.index_of(formula)
        if kind == "visit" and place is not None and data["best"] is not None:
            found.append((state.field.compositions[place], float(data["best"])))
    return found


def second_opinion(
    state: MapState, references: list[RelaxedReference], known: Hull
) -> dict[str, Any]:
    """Return what a map says after its final phase.

    Known phases that are the first row of their composition, those that are on the hull of the
    second model, and the hull error without what that model refutes.
    """
    if JUDGED not in state.meta:
        return dict.fromkeys(
            ("first", "judged_recovered", "judged_error_mev", "judged_missing_mev")
        )
    counts = state.field.counts[len(state.field.members) :]
    has_hull = not judged_missing(state.energies, state.meta[JUDGED])
    now = difference(without_refuted(state), known, counts) if has_hull else None
    first = [
        item.composition.formula
        for item in (references[vertex] for vertex in known.vertices)
        if len(item.composition.items) > 2 and is_first(state, item)
    ]
    return {
        "first": "; ".join(first),
        "judged_recovered": "; ".join(recovered_by_judge(state, references, known)),
        "judged_error_mev": None if now is None else round(now.mean, 2),
        "judged_missing_mev": None if now is None else round(now.missing, 2),
    }


def is_first(state: MapState, item: RelaxedReference) -> bool:
    """Return whether a known structure is the first row of the run of its composition."""
    place = state.field.index_of(item.composition.formula)
    if place is None or not state.energies.sites[place].n_structures:
        return False
    rows = nc.open(state.energies.sites[place].folder).top(1)
    return bool(rows) and same_structure(rows[0].relaxed.crystal, item.crystal)


def outcome_of(item: Recovery) -> str:
    """Return what became of a known phase in a word."""
    if item.is_recovered:
        return "recovered"
    if item.is_same:
        return "above the hull"
    return "found" if item.is_found else "missed"


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
        write_row(out / "phase-fields.csv", measured(case, state, references, maps))


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
