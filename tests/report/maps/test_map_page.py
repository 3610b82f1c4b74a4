"""The page of a map as text, and in a headless browser without a network (needs Chromium)."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from tests.report.maps.made import made_map

from nucleate.report.maps.page import write_map_page
from nucleate.report.maps.rows import map_rows

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


def written(system, folder, **field):
    state = made_map(system, folder, **field)
    path = folder / "map.html"
    write_map_page(path, state, map_rows(state.energies))
    return path, state


def test_names_from_outside_are_text(tmp_path):
    state = made_map("Cu-Au", tmp_path)
    rows = [replace(row, known_as="<script>alert(1)</script>") for row in map_rows(state.energies)]
    path = tmp_path / "map.html"
    write_map_page(path, state, rows)
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "http://" not in text.split("<script>")[0]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as library:
        found = library.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def open_map_page(browser):
    contexts, problems = [], []

    def call(path, width=1400, height=900):
        context = browser.new_context(viewport={"width": width, "height": height}, offline=True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector("#hull", state="visible")
        return page

    yield call
    for context in contexts:
        context.close()
    assert not problems


@needs_browser
@pytest.mark.parametrize("system", ["Cu-Au", "Sr-Ti-O", "Li-Sn-S-Cl", "Cu-Au-Ag-Ni-Pd"])
def test_every_view_is_drawn(open_map_page, tmp_path, system):
    path, state = written(system, tmp_path, max_atoms_per_formula=4 if "Pd" in system else 8)
    page = open_map_page(path)
    label = page.get_attribute("#hull", "aria-label")
    assert label is not None
    assert f"{len(state.energies.hull().vertices)} stable phases" in label
    views = page.eval_on_selector_all("#view option", "items => items.map(i => i.value)")
    pictures = set()
    for view in views:
        if len(views) > 1:
            page.select_option("#view", view)
        pictures.add(page.eval_on_selector("#hull", "item => item.toDataURL()"))
    assert len(pictures) == len(views)


@needs_browser
def test_the_table_sorts_filters_and_shows_structures(open_map_page, tmp_path):
    path, _ = written("Sr-Ti-O", tmp_path, max_atoms_per_formula=8)
    page = open_map_page(path)
    page.click("#ranking th:nth-child(1) button")
    first = page.eval_on_selector_all(
        "#ranking tbody tr", "rows => rows.map(r => r.dataset.formula)"
    )
    assert first == sorted(first, key=str.lower) or first == sorted(first)
    page.fill("#filter", "metastable")
    shown = page.eval_on_selector_all(
        "#ranking tbody tr", "rows => rows.filter(r => !r.hidden).map(r => r.cells[1].textContent)"
    )
    assert shown
    assert set(shown) == {"metastable"}
    page.click("#ranking tbody tr:not([hidden]) .choose")
    assert "meV/atom above the hull" in page.inner_text("#structure-title")
    page.fill("#grown", "0")
    assert page.inner_text("#moment").startswith("after 1 visits")


@needs_browser
def test_nothing_overflows_on_a_phone(open_map_page, tmp_path):
    path, _ = written("Sr-Ti-O", tmp_path, max_atoms_per_formula=8)
    page = open_map_page(path, width=400, height=800)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
