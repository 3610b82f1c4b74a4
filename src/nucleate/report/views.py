"""Which columns each table has: names of :data:`nucleate.report.columns.COLUMNS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.report.columns import Column, columns, energy_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

GEOMETRY = (
    "formula", "formula_units", "n_atoms", "space_group", "space_group_number",
    "tight_space_group", "volume", "density",
)  # fmt: skip

NAMES = ("structure_type", "pearson", "nearest", "nearest_distance")
"""What is known of a structure."""

RANKING = (
    "rank", "record", "family", "probability", "tier", "model", "enthalpy", "above_best", "energy",
    "pressure", *GEOMETRY, *NAMES, "own_rank", "judge_enthalpy", "judge_rank",
    "judge_difference", "opinion", "is_unphysical", "note", "same_as", "copies",
    "converged", "max_force", "max_stress", "origin",
    "prior_weight", "log_likelihood", "finished_s", "failed_tier", "fail_reason",
    "fail_message",
)  # fmt: skip
"""The distinct structures of a run in files and data frames."""

SHORT_RANKING = (
    "rank", "family", "probability", "formula", "space_group", *NAMES,
    "enthalpy", "above_best", "n_atoms", "volume", "copies",
    "converged", "record", "origin", "prior_weight", "tier", "tier_above", "own_rank",
    "judge_enthalpy", "judge_rank", "opinion", "note",
)  # fmt: skip
"""The distinct structures of a run on a page or in a notebook."""

TERMINAL_RANKING = (
    "rank", "family", "probability", "enthalpy", "above_best", "space_group", "type_and_nearest",
    "n_atoms", "copies", "converged", "record", "origin", "tier", "tier_above",
    "judge_enthalpy", "judge_rank", "opinion", "note",
)  # fmt: skip
"""The same on a terminal of 140 characters."""

FILES = (
    "file", "name", *GEOMETRY, "start_space_group", "state", "is_converged", "reason", "message",
    "tier", "model", "energy_cell", "energy", "enthalpy", "pressure", "max_force", "max_stress",
    "steps", "evaluations", "wall_s",
)  # fmt: skip
"""Relaxed structures of files."""

SHORT_FILES = (
    "name", "formula", "n_atoms", "energy_cell", "energy", "max_force", "max_stress", "steps",
    "space_group_change", "state",
)  # fmt: skip
"""Relaxed structures of files for people."""

STATUS = (
    "rank", "record", "tier", "formula", "n_atoms", "space_group", "space_group_number", *NAMES,
    "energy", "enthalpy", "above_best", "converged", "tier_above", "origin", "finished_s",
)  # fmt: skip
"""The best structures in the state of a run."""

SHORT_STATUS = (
    "rank", "enthalpy", "above_best", "space_group", "type_and_nearest", "n_atoms", "tier",
    "record", "finished_s", "origin", "tier_above",
)  # fmt: skip
"""The same for people."""

BOARD = (
    "enthalpy", "above_best", "space_group", "type_and_nearest", "n_atoms", "record", "origin",
    "tier", "tier_above",
)  # fmt: skip
"""The best structures of a run in progress."""

NEW_BEST = ("enthalpy", "space_group", "n_atoms", "record", "origin")
"""A new best structure of a run in progress."""


def result_columns(tiers: Sequence[str]) -> tuple[Column, ...]:
    """Return the columns of every record of a run, with those of each tier."""
    own = (
        "status",
        "energy",
        "enthalpy",
        "max_force",
        "max_stress",
        "converged",
        "steps",
        "wall_s",
    )
    of_tiers: list[Column] = []
    for tier in tiers:
        made = energy_columns(lambda row, tier=tier: row.step(tier), prefix=f"{tier}_")
        of_tiers += [made[name] for name in own]
    return (
        *columns(
            "record", "origin", "parents", "log_likelihood", "tier", "accepted", "new_minimum",
            "duplicate_of", *GEOMETRY, "pressure",
        ),
        *of_tiers,
        *columns("fail_reason", "fail_message", "asked_s", "finished_s", "core_s"),
    )  # fmt: skip


def tier_columns(tiers: Sequence[str]) -> tuple[Column, ...]:
    """Return enthalpy and status on each tier, for people; values compare within a column only."""
    made: list[Column] = []
    for tier in tiers:
        own = energy_columns(
            lambda row, tier=tier: row.step(tier), prefix=f"{tier}_", head=f"{tier} "
        )
        made += [own["enthalpy"], own["status"]]
    return (*columns("rank", "record"), *made)
