"""Which keys of a tier an engine honours: one that it cannot honour is refused by its name.

The settings class of an engine may have two class attributes: ``supports``, the keys out of
:data:`OPTIONAL` that it honours (default: those of a batched model), and ``tier_defaults``, values
of keys of the tier where the input gives none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.energy.engine import BATCHED
from nucleate.plugins import kind_of

if TYPE_CHECKING:
    from pydantic import BaseModel

OPTIONAL = {
    "fix_symmetry": "it cannot keep a space group",
    "guards.energy_window_ev_per_atom": "the size of its energies says nothing",
    "guards.max_depth_ev_per_atom": "it has no energy of a composition alone",
}
"""Keys that not every engine can honour, and why not. Every other key holds for all of them."""


def supported_by(engine: type) -> frozenset[str]:
    """Return the optional keys that an engine honours."""
    return getattr(engine, "supports", BATCHED)


def defaults_of(engine: type) -> dict[str, Any]:
    """Return the values of keys of a tier that an engine sets where the input does not."""
    return dict(getattr(engine, "tier_defaults", {}))


def refuse_unsupported(tier: BaseModel, engine: type) -> None:
    """Refuse a tier with a key that its engine would ignore.

    A key at its default value is no request, so that a tier survives being written out whole.

    Raises
    ------
    ValueError
        Naming the key, the engine and the remedy.
    """
    for key, reason in OPTIONAL.items():
        if key in supported_by(engine):
            continue
        holder: Any = tier
        *path, name = key.split(".")
        for part in path:
            holder = getattr(holder, part)
        if getattr(holder, name) != type(holder).model_fields[name].get_default(
            call_default_factory=True
        ):
            raise ValueError(
                f"{key} is not for engine {kind_of(engine)!r}: {reason}. Remove it from the tier "
                f"{getattr(tier, 'name', '')!r}."
            )
