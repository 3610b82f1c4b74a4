"""A search through three tiers: proxy potentials, CHGNet as it is, CHGNet relaxed."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from ase.io import read

from nucleate.relax.outcome import Failed, Relaxed
from nucleate.relax.series import relax_all
from nucleate.relax.settings import TierSettings, build_relaxer
from nucleate.report.content import read_run

from .conftest import call_in

INPUT = """\
[problem]
formula = "MgO"
max_atoms = 8
[search]
seed = 3
population = 12
structures = 12
generators = [{ kind = "symmetric" }]
[[tier]]
name = "spp"
engine = { kind = "spp" }
slots = 1
promote = { fraction = 0.3 }
[[tier]]
name = "point"
slots = 1
relax = false
promote = { best = 2, within_ev_per_atom = 0.5 }
engine = { kind = "chgnet" }
[[tier]]
name = "relaxed"
slots = 1
max_steps = 12
guards = { volume_ratio = [0.9, 1.5] }
engine = { kind = "chgnet" }
[final]
best = 0
[run]
workers = 1
"""


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ladder")
    (folder / "run.toml").write_text(INPUT)
    done = call_in(folder, "predict", "run.toml", "--out", "run")
    assert done.status == 0, done.err
    return folder / "run", read_run(folder / "run")


def test_each_tier_sees_what_the_rules_of_the_one_below_let_through(content):
    _, run = content
    assert run.tiers == ("spp", "point", "relaxed")
    seen = {tier: [r for r, _ in run.told if any(i.tier == tier for i in r.outcomes)]
            for tier in run.tiers}  # fmt: skip
    assert len(seen["spp"]) == 12
    assert 0 < len(seen["relaxed"]) < len(seen["point"]) < len(seen["spp"])
    for tier, above in zip(run.tiers, run.tiers[1:], strict=False):
        best = min(
            (record for record in seen[tier] if record.relaxed_by(tier)),
            key=lambda record: record.enthalpies()[tier],
        )
        assert best in seen[above], "the best of a tier always goes on"
    lowest = min(r.enthalpies()["point"] for r in seen["point"] if r.relaxed_by("point"))
    kept_out = [r for r in seen["point"] if r not in seen["relaxed"] and r.relaxed_by("point")]
    for record in kept_out:
        ours = record.enthalpies()["point"]
        better = sum(r.enthalpies()["point"] < ours for r in seen["point"] if r.relaxed_by("point"))
        assert better >= 2 or ours > lowest + 0.5


def test_each_tier_has_its_own_energy_of_its_own_geometry(content):
    _, run = content
    model = build_relaxer(TierSettings.model_validate({"relax": False, "name": "check"}))
    for record, _ in run.told:
        spp, point = record.relaxed_by("spp"), record.relaxed_by("point")
        relaxed = record.relaxed_by("relaxed")
        if point is None:
            continue
        assert np.array_equal(point.crystal.scaled, spp.crystal.scaled)
        assert (spp.level.unit, point.level.unit) == ("arbitrary", "eV")
        for outcome in filter(None, (point, relaxed)):
            ((_, again),) = relax_all(model, [(0, outcome.crystal)])
            assert again.energy == pytest.approx(outcome.energy, abs=1e-4)
            assert np.allclose(again.forces, outcome.forces, atol=1e-3)
        if relaxed is not None:
            assert relaxed.enthalpy <= point.enthalpy + 1e-6


def test_ranking_is_by_the_last_tier_and_failures_stay_below_with_a_mark(content):
    folder, run = content
    ranked = run.ranked()
    depth = [run.tiers.index(item.tier) for item in ranked]
    assert depth == sorted(depth, reverse=True)
    for tier in run.tiers:
        energies = [item.relaxed.enthalpy_per_atom for item in ranked if item.tier == tier]
        assert energies == sorted(energies)
    table = {int(row["record"]): row for row in csv.DictReader((folder / "ranking.csv").open())}
    results = {int(row["record"]): row for row in csv.DictReader((folder / "results.csv").open())}
    failed = [r for r, _ in run.told if r.outcomes and isinstance(r.outcomes[-1].outcome, Failed)]
    assert any(record.outcomes[-1].tier == "relaxed" for record in failed), "guards are tight here"
    assert any(record.tier == "relaxed" for record, _ in run.told)
    for record in failed:
        reason = str(record.outcomes[-1].outcome.reason)
        tier = record.outcomes[-1].tier
        assert results[record.number][f"{tier}_status"] == f"failed: {reason}"
        if record.relaxed is not None and record.number in table:
            row = table[record.number]
            assert (row["tier"], row["failed_tier"], row["fail_reason"]) == (
                record.tier, tier, reason,
            )  # fmt: skip
            assert isinstance(record.relaxed_by(row["tier"]), Relaxed)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "relaxed failed: collapsed" in page
    for tier in run.tiers:
        frames = read(folder / "tiers" / f"{tier}.extxyz", ":")
        expected = {r.number for r, _ in run.told if r.relaxed_by(tier)}
        assert {frame.info["record"] for frame in frames} <= expected
