"""Every key of every kind and tier is read by what it is for, or refused by name."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from ase.build import bulk

import nucleate
from nucleate.crystal.crystal import Crystal
from nucleate.errors import InputError, MissingDependencyError
from nucleate.plugins import kinds
from nucleate.relax.capabilities import OPTIONAL
from nucleate.relax.outcome import Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import Guards, TierSettings, build_relaxer

ROOT = Path(nucleate.__file__).parent
KINDS = [(group, name) for group, found in kinds().items() for name in found]
ELSEWHERE = {
    "kind": "plugins",
    "weight": "generate.build",
    "library": "run.predict",
    "policy_from": "run.policy",
}
"""Keys of all kinds of a group, read where kinds are put together."""

OF_THE_RUN = {"name", "promote", "python"}
"""Keys of a tier that are read by ladder, store and pool."""

OF_A_RELAXATION = {
    "fix_symmetry",
    "max_steps",
    "pre_relax",
    "rattle_ang",
    "symmetrise_ang",
    "wall_s",
}
"""Keys of a tier that a single point does not read; with a value they are refused."""


def place_of(module: str) -> Path:
    path = ROOT.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(place_of(module).read_text())


def imported(module: str) -> set[str]:
    """Return the modules of the package that a module imports."""
    found = set()
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nucleate"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found |= {name for name in names if place_of(name).exists()}
    return found


def read_in(module: str) -> set[str]:
    """Return the names of attributes that a module reads, and its texts."""
    found = set()
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


@pytest.mark.parametrize(("group", "name"), KINDS)
def test_the_keys_of_a_kind_are_read(group: str, name: str) -> None:
    try:
        settings = kinds()[group][name].load()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    modules = {one.__module__ for one in settings.__mro__ if one.__module__.startswith("nucleate")}
    modules |= {found for module in list(modules) for found in imported(module)}
    read = set().union(*map(read_in, modules))
    for key in settings.model_fields:
        if key in ELSEWHERE:
            assert key in read_in(f"nucleate.{ELSEWHERE[key]}")
        else:
            assert key in read, f"{group} {name}: {key} is read nowhere"


@pytest.fixture
def read(monkeypatch):
    """Keys of tiers and guards as they are read."""
    found: set[str] = set()
    for settings, prefix in ((TierSettings, ""), (Guards, "guards.")):
        before = settings.__getattribute__

        def record(self, name, *, before=before, settings=settings, prefix=prefix):
            if name in settings.model_fields:
                found.add(prefix + name)
            return before(self, name)

        monkeypatch.setattr(settings, "__getattribute__", record)
    return found


EMT = {"kind": "ase", "calculator": "ase.calculators.emt:EMT"}
ALL = set(TierSettings.model_fields) | {f"guards.{name}" for name in Guards.model_fields}


@pytest.mark.parametrize("options", [{}, {"relax_cell": False}, {"relax": False}], ids=str)
@pytest.mark.parametrize("engine", [EMT, {"kind": "spp"}], ids=["batched", "classical"])
def test_every_key_of_a_tier_is_read_or_refused(engine, options, read) -> None:
    copper = engine is EMT
    crystal = bulk("Cu", "fcc", 3.7) if copper else bulk("MgO", "rocksalt", 4.4)
    crystal *= (2, 1, 1)
    if options.get("relax", True):  # else it would be no question whether the stress is small
        crystal.rattle(0.1, seed=1)
    tier = TierSettings.model_validate({"engine": engine, **options})
    supported = type(tier.engine).supports
    read.clear()
    relaxer = build_relaxer(tier, pressure_gpa=2.0)
    ((_, outcome),) = list(relax_all(relaxer, [(0, Crystal.from_ase(crystal))]))
    assert isinstance(outcome, Relaxed)
    refused = {key for key in OPTIONAL if key not in supported}
    if not tier.relax:
        refused |= OF_A_RELAXATION | {"guards.shortest_contact"}
    assert ALL - read <= refused | OF_THE_RUN


def test_the_keys_of_a_tier_are_read_for_programs() -> None:
    modules = {"nucleate.programs.relaxer"}
    modules |= imported("nucleate.programs.relaxer")
    read_by_programs = set().union(*map(read_in, modules))
    assert set(TierSettings.model_fields) - OF_THE_RUN <= read_by_programs


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("max_steps", {"single_point": True, "max_steps": 3}),
        ("fix_cell", {"single_point": True, "fix_cell": True}),
        ("max_stress_gpa", {"fix_cell": True, "max_stress_gpa": 0.1}),
        ("rattle_ang", {"fix_symmetry": True, "rattle_ang": 0.1}),
    ],
)
def test_idle_criteria_of_relaxations_are_refused(key, options) -> None:
    with pytest.raises(InputError, match=f"^{key} .*has no effect"):
        nucleate.relax(bulk("MgO", "rocksalt", 4.2), model="spp", **options)
