"""The page and the trajectory show any run: hostile text, no structure, failures alone, many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from ase.build import bulk
from tests.report.conftest import LEVEL, PROXY, emt_outcome
from tests.report.test_rows import Cells

from nucleate.crystal.candidate import Candidate, Origin
from nucleate.crystal.crystal import Crystal
from nucleate.energy.level import LevelOfTheory
from nucleate.relax.outcome import Failed, FailReason, Relaxed
from nucleate.report.history import history_of
from nucleate.report.light import overview
from nucleate.report.page import facts_of, write_page
from nucleate.report.rows import ranked_rows
from nucleate.report.trajectory import (
    WINDOW_EV_PER_ATOM,
    trajectory_figure,
)
from nucleate.run.store import Store
from nucleate.search.record import Record, SearchUpdate, TierOutcome
from nucleate.text import clean

mpl.use("Agg")
COPPER = Crystal.from_ase(bulk("Cu", "fcc", a=3.6))
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "$x_{$ \\frac{",
    "Ωμ \u202e 結晶 \U0001f48e",
    "_hidden",
    "a" * 100_000,
    "&amp;</td></tr></table>",
]


def relaxed(energy: float, *, level: LevelOfTheory = LEVEL) -> Relaxed:
    return replace(emt_outcome(COPPER, level), energy=energy, enthalpy=energy)


def told_of(
    energies: list[float | None],
    *,
    tier: str = "emt",
    source: str = "blocks",
    level: LevelOfTheory = LEVEL,
    melted: tuple[int, ...] = (),
    walk: list[int | None] | None = None,
) -> list[tuple[Record, SearchUpdate]]:
    """Return records with these energies in eV; None stands for a failure."""
    template = relaxed(0.0, level=level)
    found = []
    for number, energy in enumerate(energies):
        outcome = (
            Failed(FailReason.EXPLODED, "too large")
            if energy is None
            else replace(template, energy=energy, enthalpy=energy)
        )
        record = Record(number, Candidate(COPPER, Origin(source)), (TierOutcome(tier, outcome),))
        current = None if walk is None else walk[number]
        found.append((record, SearchUpdate(melted=number in melted, current=current)))
    return found


def page_of(path: Path, told, *, meta=None) -> str:
    """Return the page of a store that holds these records."""
    folder = path / str(len(list(path.iterdir())))
    folder.mkdir()
    with Store.create(folder, {"seed": 0, **(meta or {"formula": "Cu"})}) as store:
        for record, update in told:
            store.add_candidate(record.number, record.candidate)
            for position, item in enumerate(record.outcomes):
                store.add_outcome(record.number, position, item.tier, item.outcome)
            store.add_record(record, update)
        store.commit()
    with Store.read(folder) as store:
        history = history_of(store, store.tiers_seen())
        rows = ranked_rows(overview(store, best=5).ranked)
        facts = facts_of(store, history.searched, rows)
        write_page(path / "page.html", store.meta, history, rows, facts)
    return (path / "page.html").read_text(encoding="utf-8")


def lines_in(figure) -> dict[str, np.ndarray]:
    (axes,) = figure.axes
    return {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}


@pytest.mark.parametrize("text", HOSTILE)
def test_sources_formulas_and_tiers_may_be_any_text(tmp_path: Path, text: str) -> None:
    told = told_of([-3.0, None, -3.2], tier="emt", source=text)
    meta = {"formula": text[:300], text[:300]: text, "input": {"search": {"kind": text}}}
    page = page_of(tmp_path, told, meta=meta)
    shown = page[: page.index('<script type="application/json"')]
    assert "<script" not in shown
    assert "<img" not in shown
    assert shown.count("<table") == shown.count("</table>")
    sources = [line for line in Cells(shown).lines if line[1:4] == ["3", "2", "0"]]
    assert [line[0] for line in sources] == [clean(text)], "the source is one cell"


@pytest.mark.parametrize("text", HOSTILE[:5])
def test_figures_take_text_of_users_as_it_is(tmp_path: Path, text: str) -> None:
    told = told_of([-3.0, -3.1], tier=text, source=text)
    figure = trajectory_figure(told, text, title=text)
    assert figure.to_png().startswith(b"\x89PNG")
    (axes,) = figure.axes
    shown = [item.get_text() for item in axes.get_legend().get_texts()]
    assert len(shown) == 2, "the points of the source and the best"
    figure.savefig(tmp_path / "one.svg")
    assert (tmp_path / "one.svg").stat().st_size > 1000


def test_a_run_without_any_structure_has_a_page(tmp_path: Path) -> None:
    page = page_of(tmp_path, [])
    assert "<dd>none yet</dd>" in page
    assert "None: no structure has an energy." in page


def test_a_run_of_failures_alone_counts_them_by_tier(tmp_path: Path) -> None:
    told = told_of([None] * 7)
    told += [
        (replace(record, number=7 + record.number), update)
        for record, update in told_of([None] * 3, tier="second")
    ]
    page = page_of(tmp_path, told)
    lines = [line[:6] for line in Cells(page[: page.index("<script")]).lines]
    failures = [line for line in lines if line[:1] == ["exploded"]]
    assert [line[1:3] for line in failures] == [["emt", "7"], ["second", "3"]]
    assert failures[0][3] == "record 0: too large"
    assert ["emt", "", "7", "0", "0", "7"] in lines
    assert ["blocks", "10", "0", "0"] in [line[:4] for line in lines]
    (axes,) = trajectory_figure(told, "emt", title="").axes
    assert "no structure has been relaxed by emt yet" in axes.texts[0].get_text()


def test_a_big_run_makes_a_page_of_bounded_size(tmp_path: Path) -> None:
    energies = (-3.0 - np.random.default_rng(0).random(3000)).tolist()
    page = page_of(tmp_path, told_of(energies, melted=tuple(range(100, 200))))
    assert "<dd>3000</dd>" in page
    assert len(page) < 2_000_000


def test_the_best_never_rises_and_ends_at_the_lowest() -> None:
    energies = [-3.0, None, -3.2, -3.1, None, -3.3, -2.9]
    best = lines_in(trajectory_figure(told_of(energies), "emt", title=""))["best"]
    np.testing.assert_allclose(best, [-3.0, -3.0, -3.2, -3.2, -3.2, -3.3, -3.3])


def test_nothing_is_drawn_before_the_first_energy() -> None:
    best = lines_in(trajectory_figure(told_of([None, None, -3.0]), "emt", title=""))["best"]
    assert np.isnan(best[:2]).all()
    assert best[2] == -3.0


def test_the_walk_is_drawn_where_it_leaves_the_best() -> None:
    energies: list[float | None] = [-3.0, -3.2, -2.8, -3.1]
    on_best = told_of(energies, walk=[0, 1, 1, 1])
    assert "walk" not in lines_in(trajectory_figure(on_best, "emt", title=""))
    away = told_of(energies, walk=[0, 1, 2, 3])
    np.testing.assert_allclose(lines_in(trajectory_figure(away, "emt", title=""))["walk"], energies)


def test_energies_far_above_the_best_stay_at_the_upper_edge() -> None:
    figure = trajectory_figure(told_of([-3.0, -2.9, 50.0]), "emt", title="")
    (axes,) = figure.axes
    low, high = axes.get_ylim()
    heights = np.concatenate([np.asarray(c.get_offsets())[:, 1] for c in axes.collections])
    assert heights.max() == pytest.approx(-3.0 + WINDOW_EV_PER_ATOM)
    assert low < heights.min() < heights.max() < high


@pytest.mark.parametrize("energies", [[-3.0], [-3.0, -3.0], [1e-9, 2e-9], [-1e6, 1e6]])
def test_axes_have_a_height_whatever_the_energies(energies) -> None:
    (axes,) = trajectory_figure(told_of(energies), "emt", title="").axes
    low, high = axes.get_ylim()
    assert np.isfinite([low, high]).all()
    assert low < min(energies) < high


def test_units_of_proxy_potentials_are_arbitrary_and_not_cut_at_electronvolts() -> None:
    energies = np.linspace(0.0, 100.0, 41).tolist()
    (axes,) = trajectory_figure(told_of(energies, tier="spp", level=PROXY), "spp", title="").axes
    assert axes.get_ylabel() == "enthalpy (arbitrary units/atom), spp"
    assert axes.get_ylim()[1] == pytest.approx(95.0 + 0.04 * 95.0)


def test_melted_phases_are_shaded_once_for_each_structure() -> None:
    (axes,) = trajectory_figure(told_of([-3.0] * 6, melted=(2, 3, 4)), "emt", title="").axes
    (patch,) = axes.patches
    assert (patch.get_x(), patch.get_width()) == (1.5, 3.0)


def test_long_names_are_shortened_in_figures() -> None:
    text = "a" * 100_000
    (axes,) = trajectory_figure(told_of([-3.0], tier=text, source=text), text, title=text).axes
    shown = [axes.get_title(), *(item.get_text() for item in axes.get_legend().get_texts())]
    assert max(map(len, shown)) <= 60
    assert len(axes.get_ylabel()) < 100


@pytest.mark.parametrize(
    ("source", "family"),
    [("move:swap", "moves"), ("blocks", "blocks"), ("my.moves:Kind", "my.moves:Kind"), ("", "")],
)
def test_families(source: str, family: str) -> None:
    assert Origin(source).family == family


def test_a_page_is_replaced_and_the_same_again(tmp_path: Path) -> None:
    told = told_of([-3.0, -3.1, None])
    first = page_of(tmp_path, told)
    page_of(tmp_path, [])
    assert page_of(tmp_path, told) == first
