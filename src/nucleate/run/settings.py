"""The input of a run: ``[problem]``, ``[search]``, ``[stop]``, ``[[tier]]``, ``[run]`` and more."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from nucleate.crystal.composition import Composition
from nucleate.crystal.space import SearchSpace
from nucleate.errors import InputError
from nucleate.plugins import Component, component_of, find
from nucleate.processes import usable_cores
from nucleate.relax.settings import TierSettings
from nucleate.renamed import renamed_keys
from nucleate.run.final_settings import FinalSettings
from nucleate.run.idle_keys import refuse_idle_keys
from nucleate.run.learning.settings import LearningSettings, check_learning
from nucleate.run.old_keys import DEFAULT_SEARCH, modern
from nucleate.run.unfit_keys import refuse_unfit_keys
from nucleate.run.validation import input_error
from nucleate.search.polished import FINAL
from nucleate.search.stop import StopSettings
from nucleate.tables import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


if TYPE_CHECKING:
    SearchChoice = ExecutorChoice = Component
else:
    SearchChoice = component_of("searches")
    ExecutorChoice = component_of("executors")


class CellLimits(Table):
    """Pressure, and what every cell that is looked at must keep."""

    max_atoms: int | None = Field(
        None,
        ge=1,
        description="Maximum number of atoms in a cell; default 50, or what formula_units need.",
    )
    pressure_gpa: float = Field(
        0.0,
        ge=-10.0,
        le=1e4,
        allow_inf_nan=False,
        description="External pressure in GPa; below 0 with allow_tension only.",
    )
    allow_tension: bool = Field(False, description="Allow a pressure below 0.")
    compression: float | None = Field(
        None,
        ge=0.05,
        le=3.0,
        description="Volume under the pressure relative to that at 0 GPa, by which starts, limits "
        "and guards are scaled; default: by the first tier that is an MLIP, above 1 GPa.",
    )
    volume_window: tuple[float, float] = Field(
        (0.5, 3.0), description="Allowed volume per atom relative to the expected one."
    )
    contact_scale: float = Field(
        1.0, gt=0.0, description="Factor on the tabulated minimum distances."
    )
    min_distances: dict[str, float] = Field(
        default_factory=dict,
        description="Minimum distances in Å by pair, such as O-O, of new structures and children.",
    )
    isolated_cutoff_ang: float | None = Field(
        None,
        gt=0.0,
        lt=100.0,
        description="Å; a new structure or child with an atom that has no neighbour this near is "
        "not tried. Default 6.",
    )
    space_groups: tuple[int | str, ...] | None = Field(
        None,
        description="Space groups of new structures and children, as numbers and ranges, such as "
        "[62, '195-230']; default all. Relaxations may change them.",
    )
    motif: str | None = Field(
        None,
        min_length=1,
        description="File (.xyz) of a molecule or polyhedron that new structures and children "
        "contain, as often as the formula has its atoms. Relaxations may distort it.",
    )
    dimension: int = Field(
        3, description="Directions in which the structures are periodic: 3, and no other number."
    )

    _old_names = renamed_keys({"pair_distances": "min_distances"})

    @field_validator("dimension")
    @classmethod
    def _three(cls, dimension: int) -> int:
        if dimension != 3:
            what = {2: "a layer", 1: "a chain", 0: "a molecule"}.get(dimension, "that")
            raise ValueError(
                f"{what} cannot be searched: structures are periodic in three directions, and a "
                "vacuum would be filled. Leave it out"
            )
        return dimension


class ProblemSettings(CellLimits):
    """What is searched."""

    formula: str = Field(description="Composition, such as Ca3Ti2O7.")
    oxidation_states: dict[str, int | tuple[int, ...]] | None = Field(
        None,
        description="Charge of every element of the formula, or a list for mixed valence, such as "
        "[2, 3]; without this table all are guessed.",
    )
    formula_units: tuple[int, ...] | None = Field(
        None, description="Allowed numbers of formula units in a cell; default all that fit."
    )

    def composition(self) -> Composition:
        """Return the composition; raises InputError if it is not one."""
        return Composition.from_formula(self.formula, self.oxidation_states)

    def space(self, compression: float | None = None) -> SearchSpace:
        """Return the search space; raises InputError if the limits do not fit each other.

        Its compression is that of the problem, else the one given, else 1.
        """
        check_tension(
            self.pressure_gpa,
            allowed=self.allow_tension,
            key="problem.pressure_gpa",
            remedy="Write problem.allow_tension = true (--allow-tension)",
        )
        return SearchSpace.create(
            self.composition(),
            max_atoms=self.max_atoms,
            formula_units=self.formula_units,
            volume_window=self.volume_window,
            contact_scale=self.contact_scale,
            pair_distances=self.min_distances,
            space_groups=self.space_groups,
            motif=self.motif,
            compression=self.compression or compression or 1.0,
            **(
                {}
                if self.isolated_cutoff_ang is None
                else {"isolated_cutoff": self.isolated_cutoff_ang}
            ),
        )


class ExecutionSettings(Table):
    """Where; nothing here changes what is searched."""

    workers: int | None = Field(
        None, ge=1, le=1024, description="Worker processes; default one for each processor core."
    )
    threads: int = Field(1, ge=1, le=1024, description="Threads of each worker.")
    python: str | None = Field(
        None, description="Python interpreter of the workers, where it is another one."
    )

    @property
    def n_workers(self) -> int:
        """Worker processes to start."""
        if self.workers is not None:
            return self.workers
        return max(usable_cores() // self.threads, 1)


def executor_field() -> Any:
    """Return the field ``executor`` of an input."""
    return Field(
        default_factory=lambda: find("local", "executors").model_validate({}),
        description="Who starts workers, and where: local, futures, parsl, or module:Class.",
    )


class RunSettings(Table):
    """The input of ``nucleate predict``."""

    problem: ProblemSettings
    search: SearchChoice = Field(
        default_factory=lambda: find(DEFAULT_SEARCH, "searches").model_validate({}),
        description="How candidates are chosen.",
    )
    stop: StopSettings = Field(default_factory=lambda: StopSettings.model_validate({}))
    tier: tuple[TierSettings, ...] = Field(
        default_factory=lambda: (TierSettings.model_validate({}),),
        min_length=1,
        description="Energy models, cheapest first.",
    )
    surrogate: LearningSettings = Field(
        default_factory=lambda: LearningSettings.model_validate({}),
        description="A surrogate that learns before the first tier; also as a first [[tier]] with "
        'name = "surrogate" and these keys.',
    )
    final: FinalSettings = Field(default_factory=lambda: FinalSettings.model_validate({}))
    run: ExecutionSettings = Field(default_factory=lambda: ExecutionSettings.model_validate({}))
    executor: ExecutorChoice = executor_field()

    @model_validator(mode="before")
    @classmethod
    def _modern(cls, data: Any) -> Any:
        return modern(data)

    @property
    def seed(self) -> int:
        """Seed of all random numbers; 0 for a search that has none."""
        return int(getattr(self.search, "seed", 0))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "") -> RunSettings:
        """Check the values of an input.

        Raises
        ------
        InputError
            One sentence for the first thing that is wrong: the key, the value and the remedy.
        """
        try:
            data = modern(data)
        except ValueError as error:
            raise InputError(f"{_prefix(source)}{error}") from None
        try:
            settings = cls.model_validate(data)
        except ValidationError as error:
            raise input_error(error, data, cls, source) from None
        check_names(settings.tier, source)
        try:
            settings.problem.space()
            refuse_idle_keys(settings)
            refuse_unfit_keys(settings)
            check_learning(settings)
        except InputError as error:
            raise InputError(f"{_prefix(source)}{error}") from None
        return settings

    def to_dict(self) -> dict[str, Any]:
        """Return the values as JSON-ready data, defaults included."""
        return self.model_dump(mode="json")


class RelaxationSettings(Table):
    """The input of ``nucleate relax``: how crystals of files are relaxed."""

    tier: tuple[TierSettings, ...] = Field(min_length=1)
    pressure_gpa: float = Field(0.0, ge=-10.0, le=1e4, allow_inf_nan=False)
    run: ExecutionSettings = Field(default_factory=lambda: ExecutionSettings.model_validate({}))
    executor: ExecutorChoice = executor_field()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RelaxationSettings:
        """Check the values; raises InputError as :meth:`RunSettings.from_dict`."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise input_error(error, data, cls) from None

    def to_dict(self) -> dict[str, Any]:
        """Return the values as JSON-ready data, defaults included."""
        return self.model_dump(mode="json")


class RefinementSettings(Table):
    """The input of ``nucleate refine``: tiers that the best structures of a run go through."""

    tier: tuple[TierSettings, ...] = Field(min_length=1, description="Tiers, in their order.")
    best: int = Field(20, ge=1, description="How many of the best distinct structures.")
    run: ExecutionSettings = Field(default_factory=lambda: ExecutionSettings.model_validate({}))
    executor: ExecutorChoice = executor_field()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, source: str = "") -> RefinementSettings:
        """Check the values; raises InputError as :meth:`RunSettings.from_dict`."""
        try:
            settings = cls.model_validate(data)
        except ValidationError as error:
            raise input_error(error, data, cls, source) from None
        check_names(settings.tier, source)
        return settings


def check_names(tiers: Sequence[TierSettings], source: str = "") -> None:
    """Check that every tier has a name of its own; raises InputError."""
    names = [tier.name for tier in tiers]
    for name in names:
        if name in FINAL:
            raise InputError(
                f"{_prefix(source)}tier.name = {name!r} is a name of the final phase. Give the "
                "[[tier]] another one."
            )
        if names.count(name) > 1:
            raise InputError(
                f"{_prefix(source)}tier.name = {name!r} occurs twice. Give every [[tier]] "
                "a name of its own."
            )


def check_tension(pressure_gpa: float, *, allowed: bool, key: str, remedy: str) -> None:
    """Check that a pressure below 0 is meant.

    Parameters
    ----------
    pressure_gpa
        External pressure.
    allowed
        Whether it was said that a pressure below 0 is meant.
    key, remedy
        Name of the pressure, and how to say it, for the message.

    Raises
    ------
    InputError
        If it is below 0 and that was not said.
    """
    if pressure_gpa < 0.0 and not allowed:
        raise InputError(
            f"{key} = {pressure_gpa:g} is below 0, where crystals are pulled apart. {remedy} if "
            "this is meant, else a pressure of 0 or more."
        )


LARGEST_INPUT = 16_000_000
"""Bytes of an input file."""


def read_toml(path: Path, made_by: str = "nucleate init") -> dict[str, Any]:
    """Read a TOML file; raises InputError if there is none or it is not valid.

    ``made_by`` is the command that writes one of its kind.
    """
    try:
        if path.stat().st_size > LARGEST_INPUT:
            raise InputError(
                f"{path}: has {path.stat().st_size / 1e6:.0f} MB, and an input file has at most "
                f"{LARGEST_INPUT / 1e6:.0f} MB. Check the path."
            )
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}). Check the path, or make an input file "
            f"with `{made_by}`."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not valid TOML: {error}.") from error


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the input file of a run, for editors and documentation."""
    return RunSettings.model_json_schema()


def _prefix(source: str) -> str:
    return f"{source}: " if source else ""
