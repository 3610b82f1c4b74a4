"""Which settings of an external program change its energies."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.programs.settings import ExternalSettings

_HOW = {"command", "cores", "environment", "scratch", "wall_s", "restarts", "preset", "stage"}
_WHERE = {"relax", "max_steps", "fmax", "fmax_ev_per_ang", "optimizer", "pulay"}


def settings_hash(engine: ExternalSettings) -> str:
    """Return a hash of the settings that change the energy of the last stage."""
    values = engine.model_dump(mode="json", exclude=_HOW)
    values["last"] = engine.stage[-1].model_dump(mode="json", exclude=_WHERE)
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
