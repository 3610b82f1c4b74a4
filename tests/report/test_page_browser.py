"""The page in a headless browser without a network (needs Chromium)."""

import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

ARGUMENTS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]


@pytest.fixture(scope="module")
def folder(salt_run, tmp_path_factory):
    return salt_run.export(tmp_path_factory.mktemp("browser") / "out", best=10)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as library:
        found = library.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def open_page(browser, folder):
    contexts, problems = [], []

    def call(width=1400, height=900, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda entry: problems.append(entry.text) if entry.type == "error" else None
        )
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto((folder / "report.html").as_uri())
        page.wait_for_function("document.querySelector('#viewer canvas') !== null")
        return page

    yield call
    for context in contexts:
        context.close()
    assert not problems


def test_the_structure_rotates(open_page):
    page = open_page()
    page.wait_for_timeout(300)
    before = page.locator("#viewer").screenshot()
    page.click("#turn-right")
    page.wait_for_timeout(300)
    assert page.locator("#viewer").screenshot() != before
    page.select_option("#repeat", "2")
    page.select_option("#cell", "given")
    page.uncheck("#polyhedra")


def test_the_table_is_sorted_filtered_and_leads_to_files(open_page, folder):
    page = open_page()
    column = page.locator("#ranking thead th").all_text_contents().index("rank")
    rows = page.locator("#ranking tbody tr")

    def ranks():
        return [int(row.locator("td").nth(column).inner_text()) for row in rows.all()]

    count = len(ranks())
    assert count > 1
    head = page.locator("#ranking thead th").nth(column).locator("button")
    head.click()
    head.click()
    assert ranks() == sorted(ranks(), reverse=True)
    assert page.locator("#ranking thead th").nth(column).get_attribute("aria-sort") == "descending"
    page.fill("#filter", "no such structure")
    assert sum(row.is_visible() for row in rows.all()) == 0
    page.fill("#filter", "")
    link = page.locator("#ranking a").first.get_attribute("href")
    assert (folder / link).read_text().startswith(("#", "data_"))
    rows.nth(0).locator(".choose").click()
    assert f"rank {ranks()[0]}" in page.inner_text("#structure-title")


@pytest.mark.parametrize("width", [400, 500, 1400])
def test_nothing_is_wider_than_the_window(open_page, width):
    page = open_page(width=width)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_plot_follows_its_axis_and_the_keyboard_reaches_everything(open_page):
    page = open_page(color_scheme="dark")
    first = page.locator("#plot").screenshot()
    page.select_option("#axis", "volume")
    assert page.locator("#plot").screenshot() != first
    for _ in range(12):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") in ("BUTTON", "SELECT", "INPUT", "A")
