"""The input of a map: ``[field]``, ``[allocation]``, and the sections of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from nucleate.crystal.space import space_group_numbers
from nucleate.errors import InputError
from nucleate.mapping.states import states_of
from nucleate.plugins import find
from nucleate.relax.settings import TierSettings
from nucleate.run.final_settings import FinalSettings
from nucleate.run.folder import stored_input
from nucleate.run.old_keys import DEFAULT_SEARCH, modern
from nucleate.run.paths import with_absolute_paths
from nucleate.run.settings import (
    CellLimits,
    ExecutionSettings,
    ExecutorChoice,
    RunSettings,
    SearchChoice,
    check_names,
    check_tension,
    executor_field,
    read_toml,
)
from nucleate.run.store import Store
from nucleate.run.validation import input_error
from nucleate.search.stop import seconds
from nucleate.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nucleate.crystal.composition import Composition

DEFAULT_MAX_ATOMS = 24
"""Atoms in a cell of a map."""

QUICK = (
    {"kind": "prototypes", "weight": 0.15, "most": 40},
    {"kind": "symmetric", "weight": 0.45},
    {"kind": "blocks", "weight": 0.15},
    {
        "kind": "wyckoff-language",
        "weight": 0.25,
        "number": 40,
        "after": 5,
        "ranking": "likelihood",
    },
)
"""Generators of a composition where none are named. Known structure types come first, as among few
candidates they are right more often than the language; from the second visit on, half are of each.
They are fewer than in a run of its own: making them takes less than one relaxation. A pool of the
graph search would take as long as the first visits of all compositions together."""

MADE_BY = "nucleate init Sr-Ti-O --file field.toml"
"""Writes an input file of a map."""

QUIET_END = {"best": 0, "judge": "off"}
"""What a map does at its end unless more is asked for."""


class FieldSettings(CellLimits):
    """Which compositions are looked at, and within which limits."""

    system: str = Field(
        description="Elements or end members joined by hyphens: Y-Sr-Ti-O, Li2O-SiO2-LiCl."
    )
    oxidation_states: dict[str, int | tuple[int, ...]] = Field(
        default_factory=dict,
        description="Charge of elements, or a list for mixed valence, such as {Sn = [2, 4]}; "
        "elements that are left out have their usual ones.",
    )
    neutral: bool | None = Field(
        None,
        description="Whether only charge-neutral compositions count; default: where an element "
        "is N, O, S, Se, Te or a halogen. End members are taken as they are.",
    )
    max_ratio: int = Field(
        6,
        ge=1,
        le=100,
        description="Largest ratio of two counts of a formula: among cations, among anions, among "
        "end members; among all elements where neutral = false.",
    )
    max_atoms_per_formula: int | None = Field(
        None,
        ge=1,
        le=200,
        description="Largest formula unit of the grid, at most max_atoms; default: the largest "
        "that gives at most 40 compositions of two elements, 100 of three, 300 of more.",
    )
    windows: tuple[str, ...] = Field(
        (),
        description="Limits of the grid, such as '0.1 < x(Li) < 0.4'; x is the atomic fraction of "
        "an element or the molar fraction of an end member.",
    )
    lines: tuple[str, ...] = Field(
        (), description="Lines whose compositions are added, such as 'SrO-TiO2'."
    )
    points: tuple[str, ...] = Field(
        (),
        description="Compositions of interest that are added, such as 'Y2SrTiO6'; the final phase "
        "takes them however far above the hull they are.",
    )
    max_atoms: int | None = Field(
        None,
        ge=1,
        description="Maximum number of atoms in a cell; default 24. A point with a larger formula "
        "unit has one formula unit.",
    )
    references: tuple[str, ...] = Field(
        ("shipped",),
        description="Known compounds: libraries (shipped, or .nlib files), folders of structure "
        "files, structure files, or JSON of the Materials Project.",
    )
    known_elements: int = Field(
        1,
        ge=1,
        description="Where search.known holds structures out: known compounds with at most as "
        "many elements stay references.",
    )
    polymorphs: int = Field(
        5, ge=1, description="Known structures of each composition that are relaxed as references."
    )

    @property
    def cell_limit(self) -> int:
        """Maximum number of atoms in a cell."""
        return DEFAULT_MAX_ATOMS if self.max_atoms is None else self.max_atoms


class MapStopSettings(Table):
    """When a map is complete; the first rule that holds ends it."""

    time: Annotated[float | None, BeforeValidator(seconds)] = Field(
        None,
        gt=0.0,
        description="Seconds, or like 10m or 2h, counted from each start: the relaxation of known "
        "compounds and the search.",
    )
    core_time: Annotated[float | None, BeforeValidator(seconds)] = Field(
        None,
        gt=0.0,
        description="Processor time of driver and workers over all starts: seconds, or like 2h; of "
        "the search alone.",
    )
    structures: int | None = Field(
        None, ge=1, description="Structures of all compositions together, failures included."
    )
    expected_change_mev: float = Field(
        1.0,
        ge=0.0,
        description="meV/atom, mean over the field: the map is complete where the hull is expected "
        "to change by less. 0: not used.",
    )


class AllocationSettings(Table):
    """Which compositions get the next structures."""

    rule: Literal["hull", "equal", "random"] = Field(
        "hull",
        description="hull: where the hull is expected to change most for the effort; equal: every "
        "composition as many; random: any.",
    )
    first: int = Field(5, ge=1, description="Structures of the first visit of a composition.")
    slice: int = Field(10, ge=1, description="Structures of a later visit.")
    seed: int = Field(
        0,
        ge=0,
        description="Seed of the samples of hull, of the order of equal, of random, and of what "
        "visits take over from neighbouring compositions.",
    )


class MapSettings(Table):
    """The input of ``nucleate map``."""

    field: FieldSettings
    search: SearchChoice = Field(
        default_factory=lambda: find(DEFAULT_SEARCH, "searches").model_validate({}),
        description="How candidates of a composition are chosen.",
    )
    stop: MapStopSettings = Field(default_factory=lambda: MapStopSettings.model_validate({}))
    allocation: AllocationSettings = Field(
        default_factory=lambda: AllocationSettings.model_validate({})
    )
    tier: tuple[TierSettings, ...] = Field(
        default_factory=lambda: (TierSettings.model_validate({}),),
        min_length=1,
        description="Energy models, cheapest first.",
    )
    final: FinalSettings = Field(
        default_factory=lambda: FinalSettings.model_validate(QUIET_END),
        description="What is done at the end with points and compositions near the hull; best is 0 "
        "by default (none is relaxed tightly), and judge is off.",
    )
    run: ExecutionSettings = Field(default_factory=lambda: ExecutionSettings.model_validate({}))
    executor: ExecutorChoice = executor_field()

    @model_validator(mode="before")
    @classmethod
    def _modern(cls, data: Any) -> Any:
        data = modern(data)
        final = data.get("final") if isinstance(data, dict) else None
        return {**data, "final": {**QUIET_END, **final}} if isinstance(final, dict) else data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "") -> MapSettings:
        """Check the values of an input.

        Raises
        ------
        InputError
            One sentence for the first thing that is wrong: the key, the value and the remedy.
        """
        try:
            data = modern(data)
            if "surrogate" in data:
                raise ValueError(
                    "a [[tier]] named 'surrogate' learns in the search of one composition, and a "
                    "map has many. Leave it out; predict and its tables have it."
                )
            settings = cls.model_validate(data)
        except ValidationError as error:
            raise input_error(error, data, cls, source) from None
        except ValueError as error:
            raise InputError(f"{_prefix(source)}{error}") from None
        check_names(settings.tier, source)
        try:
            settings.check()
        except InputError as error:
            raise InputError(f"{_prefix(source)}{error}") from None
        return settings

    @classmethod
    def from_toml(cls, path: str | Path) -> MapSettings:
        """Read an input file; raises InputError as :meth:`from_dict`.

        Paths of files in it are relative to its folder.
        """
        return cls.from_dict(cls.data_of_toml(path), source=str(path))

    @classmethod
    def data_of_toml(cls, path: str | Path) -> dict[str, Any]:
        """Return the values of an input file with the paths in it made absolute."""
        source = Path(path)
        folder = source.parent.resolve()
        data = with_absolute_paths(read_toml(source, MADE_BY), folder)
        field = data.get("field")
        if isinstance(field, dict) and isinstance(field.get("references"), list):
            field["references"] = [
                item if item == "shipped" or not isinstance(item, str) else str(folder / item)
                for item in field["references"]
            ]
        return data

    def to_dict(self) -> dict[str, Any]:
        """Return the values as JSON-ready data, defaults included."""
        return self.model_dump(mode="json")

    def check(self) -> None:
        """Check what concerns more than one key; raises InputError."""
        check_tension(
            self.field.pressure_gpa,
            allowed=self.field.allow_tension,
            key="field.pressure_gpa",
            remedy="Write field.allow_tension = true",
        )
        size, cell = self.field.max_atoms_per_formula, self.field.max_atoms
        if size is not None and cell is not None and size > cell:
            raise InputError(
                f"field.max_atoms_per_formula = {size} is more than field.max_atoms = {cell}, the "
                "atoms in a cell. Lower the one, or raise the other."
            )
        compression = self.field.compression
        if compression is not None and self.field.pressure_gpa == 0.0:
            raise InputError(
                f"field.compression = {compression:g} has no effect where pressure_gpa = 0; leave "
                "it out."
            )
        if self.field.space_groups is not None:
            space_group_numbers(self.field.space_groups)
        if getattr(self.search, "known", "all") == "no-prototype":
            raise InputError(
                "search.known = 'no-prototype' holds out the type of one target structure, and a "
                "map has none. Use 'no-formula' or 'no-relatives'."
            )

    def check_end(self) -> None:
        """Check that the map would end by itself; raises InputError."""
        rule, stop = self.allocation.rule, self.stop
        if rule == "hull":
            return
        change = stop.expected_change_mev
        if change not in (0.0, type(stop).model_fields["expected_change_mev"].default):
            raise InputError(
                f"stop.expected_change_mev = {change:g} has no effect where allocation.rule = "
                f"{rule!r}, which does not expect anything; leave it out."
            )
        if stop.time is None and stop.core_time is None and stop.structures is None:
            raise InputError(
                f"allocation.rule = {rule!r} has no end of its own. Give stop.time, stop.core_time "
                "or stop.structures (--time, --core-time or --structures)."
            )

    def run_settings(self, composition: Composition, folder: Path | None = None) -> RunSettings:
        """Return the input of the run of one composition.

        It has the sections of the map and no rule of ``[stop]`` but the default one: the map
        decides how far each run is taken.

        Parameters
        ----------
        composition
            One of the field; its given states are not used.
        folder
            Where its run is, or will be. Where the map names no generators, a run that exists keeps
            those that it began with, which another version may have chosen.

        Raises
        ------
        InputError
            If a limit does not fit the composition.
        """
        limits = self.field.model_dump(mode="json", include=set(CellLimits.model_fields))
        limits["max_atoms"] = max(self.field.cell_limit, composition.n_atoms)
        limits["min_distances"] = {
            pair: value
            for pair, value in limits["min_distances"].items()
            if set(pair.split("-")) <= set(composition.counts)
        }
        states = states_of(composition.counts, self.field.oxidation_states)
        problem = {"formula": composition.formula, **limits}
        if states is not None:
            problem["oxidation_states"] = states
        sections = {
            key: getattr(self, key).model_dump(mode="json")
            for key in ("search", "final", "run", "executor")
        }
        if sections["final"]["best"] == 0:
            sections["final"]["judge"] = "off"  # that of the map judges at its end
        search = sections["search"]
        if not search.get("generators", True):
            search["generators"] = _begun_with(folder) or self.quick_generators()
        tiers = [tier.model_dump(mode="json") for tier in self.tier]
        return RunSettings.from_dict({"problem": problem, "tier": tiers, **sections})

    def quick_generators(self) -> list[dict[str, Any]]:
        """Return the default generators that keep to space groups and motif of the field."""
        restricted = {
            "keeps_space_groups": self.field.space_groups is not None,
            "keeps_motif": self.field.motif is not None,
        }
        needs = [need for need, is_needed in restricted.items() if is_needed]
        uses_known = getattr(self.search, "known", "all") != "off"
        return [
            item
            for item in QUICK
            if all(getattr(find(item["kind"], "generators"), need) for need in needs)
            and (uses_known or item["kind"] != "prototypes")
        ]


def field_settings(data: Mapping[str, Any], *, source: str = "") -> FieldSettings:
    """Return the section ``[field]`` of an input without looking at the others.

    Raises
    ------
    InputError
        As :meth:`MapSettings.from_dict`.
    """
    try:
        return FieldSettings.model_validate(data.get("field"))
    except ValidationError as error:
        raise input_error(error, data, FieldSettings, source) from None


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the input file of a map, for editors and documentation."""
    return MapSettings.model_json_schema()


def _begun_with(folder: Path | None) -> list[dict[str, Any]]:
    """Return the generators of the run of a folder; none where there is no run."""
    if folder is None or not Store.exists(folder):
        return []
    with Store.read(folder) as store:
        return list(stored_input(store.meta)["search"].get("generators", ()))


def _prefix(source: str) -> str:
    return f"{source}: " if source else ""
