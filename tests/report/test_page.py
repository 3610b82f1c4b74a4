"""The page as text: everything inside, nothing from outside, hostile text as text."""

import json
import re
from dataclasses import replace

import pytest
from ase.build import bulk

import nucleate as nc
from nucleate.report.history import history_of
from nucleate.report.page import facts_of
from nucleate.report.page.doubts import doubts
from nucleate.report.page.structures import cells, pattern_points, site_table
from nucleate.report.page.works import works_of
from nucleate.report.page.write import page_text
from nucleate.report.rows import ranked_rows
from nucleate.run.store import Store

HOSTILE = "<script>alert(1)</script>&\"'\u202e\ud83d\ude00" + "x" * 100_000


@pytest.fixture(scope="module")
def run(salt_run):
    return salt_run


@pytest.fixture(scope="module")
def parts(run):
    with Store.read(run.folder) as store:
        history = history_of(store, store.tiers_seen())
        rows = ranked_rows(run.structures)[:5]
        return store.meta, history, rows, facts_of(store, history.searched, rows)


def data_of(page):
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1]
    return json.loads(text)


def test_nothing_is_loaded_from_elsewhere(parts):
    page = page_text(*parts)
    ours = page.replace("http://www.w3.org/2000/svg", "")
    for tag in re.findall(r"<(?:script|link|img|iframe)[^>]*>", ours[: ours.index("$3Dmol")]):
        assert "src=" not in tag
        assert "href=" not in tag
    assert len(page) < 5e6


def test_the_data_are_those_of_the_run(parts, run):
    data = data_of(page_text(*parts))
    assert [item["record"] for item in data["structures"]] == [
        item.record.number for item in run.structures[:5]
    ]
    assert data["n_points"] == sum(record.relaxed is not None for record in run.records)
    lowest = min(point[2] for point in data["points"])
    assert data["best"][-1][2] == lowest
    assert lowest == pytest.approx(run.best.relaxed.enthalpy_per_atom, abs=1e-4)  # of the polish
    assert data["unit"] == "arb. unit"
    for item in data["structures"]:
        assert (
            len(item["cells"]["given"]["atoms"]) == run.structures[item["rank"] - 1].crystal.n_atoms
        )
        assert item["tree"][0]["record"] == item["record"]


def test_hostile_text_stays_text(parts):
    meta, history, rows, facts = parts
    bad = replace(
        facts,
        stop_reason=HOSTILE,
        failures=[(HOSTILE, HOSTILE, 3, 7, HOSTILE)],
        points=[(0, HOSTILE, -1.0, 0.0, 10.0)],
        ancestors={number: (HOSTILE, [], {HOSTILE[:200]: HOSTILE}) for number in facts.ancestors},
    )
    hostile_meta = {**meta, "formula": HOSTILE, "machine": {HOSTILE: HOSTILE}}
    page = page_text(hostile_meta, history, rows, bad)
    assert "<script>alert" not in page
    assert page.count("</script>") == 3
    assert data_of(page)["formula"].startswith("<script>alert(1)")
    assert len(page) < 5e6


def test_the_input_is_toml_and_secrets_are_not_in_it(parts):
    import html
    import tomllib

    meta, history, rows, facts = parts
    given = {**meta["input"], "tier": [{"name": "x", "engine": {"environment": {"API_KEY": "s3"}}}]}
    page = page_text({**meta, "input": given}, history, rows, facts)
    assert "s3" not in page.replace("3s3", "") or 'API_KEY = "s3"' not in html.unescape(page)
    text = html.unescape(re.search(r'<pre id="input">(.*?)</pre>', page_text(*parts), re.S)[1])
    assert tomllib.loads(text)["problem"]["formula"] == "NaCl"


def test_an_empty_run_has_a_page(parts):
    meta, history, _, facts = parts
    empty = replace(facts, points=[], best=[], n_points=0)
    page = page_text(meta, replace(history, trajectory=None, searched=None), [], empty)
    assert "None: no structure has an energy." in page
    running = page_text(meta, history, [], replace(empty, running=True))
    assert "None yet." in running


def test_works_are_those_of_the_components():
    given = {
        "tier": [{"engine": {"kind": "chgnet"}}, {"engine": {"kind": "vasp"}}],
        "search": {"kind": "basin-hopping", "generators": [{"kind": "prototypes"}]},
    }
    works = dict(works_of({"input": given}))
    assert {"collins2024", "deng2023", "kresse1996", "wales1997", "jain2013"} <= set(works)
    assert all(entry.startswith("@") and entry.endswith("}") for entry in works.values())
    assert "deng2023" not in dict(works_of({"input": {"tier": [{"engine": {"kind": "spp"}}]}}))


def test_doubts_name_what_is_close_and_seldom(parts):
    _, history, rows, facts = parts
    assert doubts(history, facts, []) == []
    running = doubts(history, replace(facts, running=True), rows)
    assert any("still running" in text for text in running)
    once = [replace(rows[0], copies=1), *rows[1:]]
    assert any("found once only" in text for text in doubts(history, facts, once))


def test_the_viewer_gets_octahedra_and_tables_distinct_sites():
    salt = nc.Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
    conventional = cells(salt)["conventional"]
    assert len(conventional["atoms"]) == 8
    assert len(conventional["polyhedra"]) == 4
    for _, vertices, triangles in conventional["polyhedra"]:
        assert len(vertices) == 18
        assert len(triangles) == 24
    rows = site_table(salt)
    assert [(row["element"], row["count"], row["number"]) for row in rows] == [
        ("Na", 4, 6), ("Cl", 4, 6),
    ]  # fmt: skip
    assert rows[0]["distances"] == "2.820 ×6"
    angles = [angle for angle, height in pattern_points(salt) if height > 50]
    assert angles == pytest.approx([31.7, 45.4], abs=0.15)
