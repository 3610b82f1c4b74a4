"""What a tier computes with: the base of the settings of every model and every program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nucleate.plugins import Component

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCHED = frozenset({"fix_symmetry", "guards.energy_window_ev_per_atom"})
"""Optional keys of a tier that any model honours that is relaxed in batches."""


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine gets from the tier that it serves.

    Attributes
    ----------
    pressure_gpa : float
        External pressure.
    """

    pressure_gpa: float = 0.0


class Engine(Component):
    """Settings of an energy model or a program.

    ``build`` returns what its relaxer works with: a
    :class:`~nucleate.energy.model.BatchedModel` unless :attr:`relaxer` says otherwise.

    Attributes
    ----------
    supports : frozenset of str
        Optional keys of a tier that it honours; those of a batched model by default.
    relaxer : str
        ``module:Class`` of the relaxer, which is made from what :meth:`build` returns, the tier
        and the pressure in GPa.
    tier_defaults : dict
        Values of keys of a tier where the input gives none.
    energy_unit : str
        ``eV``, or ``arbitrary``.
    ranks_single_points : bool
        Whether energies of crystals as they are can rank a pool.
    file_suffixes : tuple of str
        Endings of files that name the engine by themselves; the file is its first setting.
    is_program : bool
        Whether it is a program of its own, with files that can be handed to a queue.
    warms_up : bool
        Whether its first evaluation is much slower than the others, and an evaluation is cheap: one
        is made before the clock of a search starts.
    """

    serves: ClassVar[frozenset[str]] = frozenset({"models", "programs"})
    supports: ClassVar[frozenset[str]] = BATCHED
    relaxer: ClassVar[str] = "nucleate.relax.batched:BatchedRelaxer"
    tier_defaults: ClassVar[dict[str, Any]] = {}
    energy_unit: ClassVar[str] = "eV"
    ranks_single_points: ClassVar[bool] = True
    file_suffixes: ClassVar[tuple[str, ...]] = ()
    is_program: ClassVar[bool] = False
    warms_up: ClassVar[bool] = False

    def problems(self, elements: Sequence[str]) -> list[str]:
        """Return what keeps it from running, found in seconds, each with the line to add.

        Parameters
        ----------
        elements
            Symbols of the elements that it must treat.
        """
        del elements
        return []

    def problems_by_trial(self, elements: Sequence[str]) -> list[str]:
        """Return what one evaluation of each element finds that :meth:`problems` cannot.

        The model is loaded in this process for that, so that only a search of many compositions
        asks, before its first start.

        Parameters
        ----------
        elements
            As in :meth:`problems`.
        """
        del elements
        return []

    def check_present(self) -> None:
        """Look for packages, modules and files of this interpreter without loading the model.

        Raises
        ------
        InputError
            If a file or module that the settings name is missing.
        MissingDependencyError
            If a package is not installed.
        """
