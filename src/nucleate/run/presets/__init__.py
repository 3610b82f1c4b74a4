"""Presets: inputs by one word, as TOML files beside this module."""

from __future__ import annotations

import difflib
import tomllib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from nucleate.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nucleate.relax.settings import TierSettings

DESCRIPTION = "description"


def run_preset_names() -> list[str]:
    """Return the names of the presets."""
    found = (item.name for item in files(__name__).iterdir())
    return sorted(name.removesuffix(".toml") for name in found if name.endswith(".toml"))


def run_preset_text(name: str) -> str:
    """Return the TOML text of a preset; raises InputError if there is none of that name."""
    known = run_preset_names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        nearest = f"Did you mean {close[0]!r}? " if close else ""
        raise InputError(
            f"preset = {name[:60]!r} is not known. {nearest}Use one of {', '.join(known)}."
        )
    return files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def run_preset(name: str) -> dict[str, Any]:
    """Return the input of a preset, without a problem; raises InputError if there is none."""
    data = tomllib.loads(run_preset_text(name))
    del data[DESCRIPTION]
    return data


def over_preset(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an input whose keys come before those of a preset.

    Sections are merged key by key; lists, such as the tiers, are replaced as a whole.

    Parameters
    ----------
    data
        The input; not changed.
    name
        Of the preset.

    Raises
    ------
    InputError
        If there is no such preset, or the input names another kind of search.
    """
    merged = run_preset(name)
    for section, values in data.items():
        base = merged.get(section)
        if section == "search":
            check_kind(values, name)
        if isinstance(base, dict) and isinstance(values, dict):
            merged[section] = {**base, **values}
        elif not (section == "search" and isinstance(values, str)):
            merged[section] = values
    return merged


def tiers_over_preset(tiers: Sequence[TierSettings], name: str) -> list[TierSettings]:
    """Return tiers that relax as the tier of a preset does, where they do not say otherwise.

    Parameters
    ----------
    tiers
        Those that take the place of the preset's; one that relaxes nothing is left as it is.
    name
        Of the preset.
    """
    base = {k: v for k, v in run_preset(name)["tier"][0].items() if k not in ("name", "engine")}
    own = [{key: getattr(tier, key) for key in tier.model_fields_set} for tier in tiers]
    return [
        type(tier).model_validate({**base, **keys}) if tier.relax else tier
        for tier, keys in zip(tiers, own, strict=True)
    ]


def check_kind(search: Any, name: str) -> None:
    """Check that what is asked of the search is of the kind of a preset; raises InputError."""
    kind = run_preset(name)["search"]["kind"]
    given = (search.get("kind") if isinstance(search, dict) else search) or kind
    if given != kind:
        raise InputError(
            f"search.kind = {given!r} is not that of preset = {name!r}, {kind!r}. Leave one of "
            "them out."
        )
