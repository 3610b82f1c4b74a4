"""The interface of every engine: crystals in, outcomes out as they finish."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from nucleate.crystal.crystal import Crystal
    from nucleate.energy.level import LevelOfTheory
    from nucleate.relax.outcome import Outcome


class Relaxer(Protocol):
    """Relaxes many crystals at once with one energy model.

    A finished crystal leaves and a new one takes its place: add crystals while there are free
    slots, then step until their outcomes come back.
    """

    @property
    def level(self) -> LevelOfTheory:
        """Level of theory of every energy this relaxer gives."""
        ...

    def free_slots(self) -> int:
        """Return how many more crystals can be added now."""
        ...

    def add(self, key: int, crystal: Crystal, fixed: ArrayLike | None = None) -> None:
        """Take a crystal to relax; its outcome comes back under ``key``.

        Parameters
        ----------
        key
            Any number.
        crystal
            Anything; what cannot be relaxed comes back as `Failed`.
        fixed
            True for each fractional coordinate that must stay, shape (n_atoms, 3). The cell then
            stays too. An engine that cannot hold atoms answers with `Failed`.
        """
        ...

    def step(self) -> list[tuple[int, Outcome]]:
        """Advance every crystal in flight a little; return those that ended."""
        ...

    # A relaxer may have ``traces`` (:class:`~nucleate.relax.traces.Traces`), in which it notes its
    # evaluations; and ``expect(key, options)`` and ``extras``, by which a job can say and return
    # more than crystals and outcomes.


def expect(relaxer: Relaxer, key: int, options: Mapping[str, Any]) -> None:
    """Tell a relaxer what a job asks for besides, before its crystal is added."""
    if "frames" in options and hasattr(relaxer, "traces"):
        relaxer.traces.want(key, int(options["frames"]))  # pyright: ignore[reportAttributeAccessIssue]
    elif options and hasattr(relaxer, "expect"):
        relaxer.expect(key, dict(options))  # pyright: ignore[reportAttributeAccessIssue]


def extra_of(relaxer: Relaxer, key: int) -> dict[str, Any]:
    """Return what a relaxer says of a job besides its outcome, as JSON-ready values."""
    traces = getattr(relaxer, "traces", None)
    if traces is not None and traces.wants(key):
        return {"frames": base64.b64encode(traces.take(key)).decode("ascii")}
    return getattr(relaxer, "extras", {}).pop(key, {})
