"""Pictures of the page, wide, narrow and printed, for people to look at (needs Chromium).

They are kept in ``tests/artefacts`` until the next time.
"""

import shutil
from pathlib import Path

import pytest
from tests.report.test_page_browser import ARGUMENTS, CHROMIUM

import nucleate as nc
from nucleate.report import live

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

ARTEFACTS = Path(__file__).resolve().parents[1] / "artefacts"
SIZES = {
    "wide": (1400, 900, "light"),
    "narrow": (500, 900, "light"),
    "phone": (400, 900, "light"),
    "dark": (1400, 900, "dark"),
}
SPP = {"name": "spp", "engine": {"kind": "spp"}}


def search(formula, max_atoms, structures, tiers, **stop):
    return {
        "problem": {"formula": formula, "max_atoms": max_atoms},
        "tier": tiers,
        "search": {"seed": 1},
        "stop": {"structures": structures, **stop},
        "run": {"workers": 2},
        "final": {"best": 4},
    }


def twenty_atoms(folder):
    pytest.importorskip("chgnet")
    nc.predict(search("SrTiO3", 20, 30, [{"name": "chgnet"}]), folder=folder).export()


def fifty_atoms(folder):
    pytest.importorskip("chgnet")
    second = {"name": "chgnet", "max_steps": 40}
    first = {**SPP, "promote": {"best": 2}}
    source = search("Ca3Ti2O7", 48, 20, [first, second])
    source["search"]["generators"] = ["blocks", "symmetric"]
    nc.predict(source, folder=folder).export()


def failed(folder):
    tier = {"name": "chgnet", "guards": {"max_atoms": 1}}
    with pytest.raises(nc.NucleateError):
        nc.predict(search("MgO", 8, 20, [tier]), folder=folder)
    nc.open(folder).export()


def running(folder):
    pages = []
    write = live.write_live_page

    def kept(path):
        written = write(path)
        pages.append(written.read_bytes())
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "write_live_page", kept)
        patch.setattr(live, "FIRST_S", 0.0)
        patch.setattr(live, "EVERY_S", 0.0)
        patch.setattr(live, "SHARE", 1e9)
        nc.predict(search("NaCl", 8, 40, [SPP]), folder=folder)
    (folder / "report.html").write_bytes(pages[len(pages) // 2])


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as library:
        found = library.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.mark.parametrize("make", [twenty_atoms, fifty_atoms, failed, running])
def test_pictures(make, browser, tmp_path):
    folder = tmp_path / "run"
    make(folder)
    ARTEFACTS.mkdir(exist_ok=True)
    address = (folder / "report.html").as_uri()
    problems = []
    for name, (width, height, scheme) in SIZES.items():
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, color_scheme=scheme
        )
        page = context.new_page()
        page.set_default_timeout(180_000)  # software rendering beside other work
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        page.wait_for_timeout(1500)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.screenshot(path=ARTEFACTS / f"{make.__name__}-{name}.png", full_page=True)
        if name == "wide":
            page.pdf(path=ARTEFACTS / f"{make.__name__}-print.pdf", format="A4")
            page.emulate_media(media="print")
            page.set_viewport_size({"width": 794, "height": 1123})
            page.screenshot(path=ARTEFACTS / f"{make.__name__}-print.png", full_page=True)
        context.close()
    assert not problems
    assert (ARTEFACTS / f"{make.__name__}-print.pdf").stat().st_size > 10_000
    shutil.copy(folder / "report.html", ARTEFACTS / f"{make.__name__}.html")
