"""The external programs by the kind of their engine."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from nucleate.errors import InputError
from nucleate.programs.relaxer import ExternalRelaxer
from nucleate.programs.settings import ExternalSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from nucleate.programs.program import Program
    from nucleate.relax.settings import TierSettings

PROGRAMS = {
    "vasp": "Vasp",
    "espresso": "Espresso",
    "gulp": "Gulp",
    "cp2k": "Cp2k",
    "gpaw": "Gpaw",
    "lammps": "Lammps",
}
"""Class of each kind, in the module of that name.

The module has ``problems(engine, elements)``, and ``installed_version(engine)`` where the program
can be asked.
"""


def program_of(engine: ExternalSettings, version: str = "") -> Program:
    """Return the reader and writer of an engine's files; the program itself may be elsewhere."""
    return getattr(_module(engine), PROGRAMS[engine.kind])(engine, version)


def build_relaxer(tier: TierSettings, pressure_gpa: float) -> ExternalRelaxer:
    """Return the relaxer of a tier whose engine is an external program.

    Raises
    ------
    InputError
        If the program or something that it needs is missing, or one of its keys is unknown.
    """
    engine = tier.engine
    assert isinstance(engine, ExternalSettings)
    for problem in problems(engine, ()):
        raise InputError(problem)
    ask = getattr(_module(engine), "installed_version", None)
    program = program_of(engine, "" if ask is None else ask(engine))
    return ExternalRelaxer(program, tier, engine, pressure_gpa)


def problems(engine: ExternalSettings, elements: Sequence[str]) -> list[str]:
    """Return what keeps a program from running for some elements, each with its remedy."""
    return _module(engine).problems(engine, elements)


def _module(engine: ExternalSettings) -> ModuleType:
    return import_module(f"nucleate.programs.{engine.kind}")
