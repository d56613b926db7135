"""What a browser makes of a report. Needs Chromium; skips where there is none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdsweep.report import build
from kdsweep.report.render import glossary
from tests.helpers import report_fakes
from tests.helpers.browser import CHROMIUM, Browser

AXE = "4.10.3"  # one version, so that it finds the same every time
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]

OPEN = "document.querySelectorAll('details.chapter').forEach(chapter => { chapter.open = true; })"
DRAWN = """(async () => {
    const drawn = () => [...document.querySelectorAll(".ink")].every(ink => ink.classList.contains("js-plotly-plot"));
    for (let i = 0; i < 400 && !drawn(); i++) await new Promise(done => setTimeout(done, 50));
    return drawn();
})()"""
SIDEWAYS = """[document.documentElement, ...document.querySelectorAll(".box")]
    .filter(box => box.clientWidth && box.scrollWidth > box.clientWidth + 1)
    .map(box => box.querySelector("table")?.getAttribute("aria-labelledby") || box.tagName)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    runs = report_fakes.make(search=4, seeds=3, samples=60)
    return build(runs, tmp_path_factory.mktemp("report")).path


@pytest.fixture(scope="module")
def crowded(tmp_path_factory) -> Path:
    """Thirty arms, and as many classes as a page has ever seen."""
    runs = report_fakes.crowded(report_fakes.make(search=3, seeds=3, samples=600, classes=500), arms=30)
    return build(runs, tmp_path_factory.mktemp("crowded")).path


def test_nothing_is_drawn_by_a_script_before_a_chapter_is_opened(browser, path):
    browser.open(path)
    assert browser.run("[...document.querySelectorAll('.ink')].filter(ink => ink.checkVisibility()).length") == 0
    assert browser.run("typeof Plotly") == "undefined"
    assert browser.run("[...document.querySelectorAll('.board svg')].filter(ink => ink.checkVisibility()).length") > 10


@pytest.mark.parametrize("policy", [True, False])
def test_every_figure_is_drawn_when_its_chapter_is_opened_and_no_name_runs(browser, tmp_path, policy):
    page = build(report_fakes.nasty(), tmp_path).path
    if not policy:  # nothing may rest on it alone
        page.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text()))
    browser.before_load("window.alert = () => { window.ran = true; };")
    browser.open(page)
    browser.run(OPEN)
    assert browser.run(DRAWN)
    assert browser.run("document.querySelectorAll('.ink').length") >= 8
    assert browser.run("window.ran === undefined && !document.querySelector('img, [onerror]')")


def test_a_click_on_a_column_head_sorts_its_table(browser, path):
    browser.open(path)
    browser.run(OPEN)
    sorted_ = """(() => {
        const table = document.querySelector("#classes table");
        const score = [...table.querySelectorAll("th button")].find(button => button.textContent === "AMID");
        const column = score.closest("th").cellIndex;
        score.click();
        return [...table.tBodies[0].rows].map(row => Number(row.cells[column].dataset.sort));
    })()"""
    up, down = browser.run(sorted_), browser.run(sorted_)
    assert up == sorted(up)
    assert down == up[::-1]


def test_words_in_the_field_leave_only_the_rows_that_hold_them(browser, path):
    browser.open(path)
    browser.run(OPEN)
    rows, said = browser.run("""(() => {
        const holder = document.querySelector("#replay .table"), field = holder.querySelector(".filter input");
        field.value = "amid without"; field.dispatchEvent(new Event("input", {bubbles: true}));
        const rows = [...holder.querySelectorAll("tbody tr")].filter(row => row.checkVisibility());
        return [rows.map(row => row.cells[0].textContent), holder.querySelector("output").textContent];
    })()""")
    assert set(rows) == {"AMID"}
    assert re.fullmatch(r"\d+ of 9 rows", said)


def test_a_word_is_explained_to_the_keyboard_as_well(browser, path):
    browser.open(path)
    browser.run(OPEN)
    told, gone = browser.run("""(() => {
        const heads = [...document.querySelectorAll("#certainty th button")];
        const word = heads.find(button => button.textContent === "difference");
        word.focus();
        const tip = document.getElementById(word.getAttribute("aria-describedby")), told = tip.textContent;
        document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}));
        return [told, tip.hidden];
    })()""")
    assert (told, gone) == (glossary.words()["difference"], True)


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """axe-core, as npm has it."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm, to install axe-core")
    folder = tmp_path_factory.mktemp("axe")
    asked = ["npm", "install", "--no-audit", "--no-fund", f"axe-core@{AXE}"]
    try:
        subprocess.run(asked, cwd=folder, capture_output=True, timeout=60, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"axe-core could not be installed: {error}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(browser, path, axe, dark):
    browser.open(path, dark=dark)
    browser.run(OPEN)
    browser.run(axe)
    found = json.loads(
        browser.run("axe.run({resultTypes: ['violations']}).then(found => JSON.stringify("
                    "[found.passes.length, ...found.violations.map(one => [one.impact, one.id])]))")
    )  # fmt: skip
    assert browser.run("matchMedia('(prefers-color-scheme: dark)').matches") is dark
    assert found[0] > 20
    assert found[1:] == []


def test_nothing_scrolls_sideways_on_a_screen_of_1000_pixels(browser, path):
    browser.open(path, width=1000)
    assert browser.run(SIDEWAYS) == []
    assert not browser.run("document.querySelector('.board .cards')")
    browser.run(OPEN)
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert browser.run(SIDEWAYS) == []


def test_thirty_arms_and_five_hundred_classes_stay_on_the_screen(browser, crowded):
    browser.open(crowded, width=1000)
    assert browser.run(SIDEWAYS) == []
    assert browser.run("document.querySelectorAll('#arms .board tbody tr').length") == 30
    browser.run(OPEN)
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert browser.run(SIDEWAYS) == []
    assert browser.run("document.querySelectorAll('#classes #table-classes ~ .box tbody tr').length") <= 60


def test_on_a_phone_a_row_is_a_card_that_shows_its_verdict(browser, path):
    browser.open(path, width=400, height=800)
    assert browser.run(SIDEWAYS) == []
    seen = browser.run("""[...document.querySelectorAll("#arms .board tbody .verdict")].map(verdict => {
        const at = verdict.getBoundingClientRect();
        return at.width > 0 && at.left >= 0 && at.right <= innerWidth;
    })""")
    assert len(seen) == 3
    assert all(seen)


def test_the_main_table_is_eight_stops_away_at_most(browser, path):
    browser.open(path)
    before = browser.run("""(() => {
        const table = document.querySelector(".board table");
        return [...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
            .filter(stop => stop.checkVisibility())
            .filter(stop => stop.compareDocumentPosition(table) & Node.DOCUMENT_POSITION_FOLLOWING).length;
    })()""")
    assert before <= 8


def test_a_screen_reader_hears_the_numbers_of_the_main_table(browser, path):
    browser.open(path)
    browser.send("Accessibility.enable")
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    heard = " ".join(str(node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored"))
    assert re.search(r"AMID: 3 runs, [\d.]+ to [\d.]+, mean [\d.]+", heard)
    assert re.search(r"\+[\d.]+ \[[−\d.]+, [−\d.]+\]", heard)


def test_a_printed_page_is_short(browser, path):
    browser.open(path)
    assert len(re.findall(rb"/Type\s*/Page\b", browser.pdf())) <= 12
