"""What a browser makes of a report. Needs Chromium; skips where there is none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kdsweep.report import build
from kdsweep.report.render import glossary
from tests.helpers import report_fakes
from tests.helpers.report_fakes import elements

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = "4.10.3"  # one version, so that it finds the same every time
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


def rendered(path: Path, *options: str) -> str:
    """The page's elements after its scripts ran."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    return subprocess.run(
        [*command, *options, f"file://{path}"], capture_output=True, text=True, timeout=120, check=True
    ).stdout


def scripted(path: Path, script: str) -> Path:
    """The page with one more script, which its own policy would forbid."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text())
    other = path.with_name("scripted.html")
    other.write_text(page.replace("</body>", f"<script>{script}</script></body>"))
    return other


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    runs = report_fakes.make(search=4, seeds=3, samples=60)
    return build(runs, tmp_path_factory.mktemp("report")).path


def test_every_figure_is_drawn_and_no_name_runs(tmp_path):
    attacked = build(report_fakes.nasty(), tmp_path).path
    # Without the policy as well: nothing may rest on it alone.
    for page in (rendered(attacked), rendered(scripted(attacked, "window.alert = () => document.title = 'ran'"))):
        found = elements(page)
        assert not [attrs for tag, attrs in found if tag == "img" and attrs.get("src") == "x"]
        assert not [attrs for _, attrs in found if "onerror" in attrs]
        assert "<title>ran" not in page
        inks = [attrs for tag, attrs in found if tag == "div" and "ink" in (attrs.get("class") or "").split()]
        assert len(inks) >= 8
        assert all("js-plotly-plot" in (attrs["class"] or "") for attrs in inks)


USE = """{
    const told = document.body.dataset;

    const score = [...document.querySelectorAll("#arms th button")].find(b => b.textContent.startsWith("accuracy"));
    const column = score.closest("th").cellIndex, body = score.closest("table").tBodies[0];
    const values = () => [...body.rows].map(row => row.cells[column].dataset.sort).join();
    score.click(); told.up = values();
    score.click(); told.down = values();

    const holder = document.querySelector("#replay .table"), field = holder.querySelector(".filter input");
    field.value = "amid 2"; field.dispatchEvent(new Event("input", {bubbles: true}));
    const rows = [...holder.querySelectorAll("tbody tr")].filter(row => !row.hidden);
    told.rows = rows.map(row => row.cells[0].textContent + row.cells[2].textContent).join();
    told.said = holder.querySelector("output").textContent;

    const word = [...document.querySelectorAll("#arms th button")].find(button => button.textContent === "IQM");
    word.dispatchEvent(new FocusEvent("focusin", {bubbles: true}));
    const tip = document.getElementById(word.getAttribute("aria-describedby"));
    told.tip = tip.hidden ? "" : tip.textContent;
    document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}));
    told.gone = tip.hidden;
}"""


@pytest.fixture(scope="module")
def told(path) -> dict[str, str | None]:
    """What the page tells of itself after it was used."""
    (body,) = [attrs for tag, attrs in elements(rendered(scripted(path, USE))) if tag == "body"]
    return {name.removeprefix("data-"): value for name, value in body.items()}


def test_a_click_on_a_column_head_sorts_its_table(told):
    up, down = ([float(value) for value in told[way].split(",")] for way in ("up", "down"))
    assert up == sorted(up)
    assert down == up[::-1]


def test_words_in_the_field_leave_only_the_rows_that_hold_them(told):
    assert "AMID2" in told["rows"].split(",")
    assert all(row.startswith("AMID") for row in told["rows"].split(","))
    assert re.fullmatch(r"\d+ of 27 rows", told["said"])


def test_a_word_is_explained_to_the_keyboard_as_well(told):
    assert (told["tip"], told["gone"]) == (glossary.words()["IQM"], "true")


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(path, axe, scheme):
    run = """
        setTimeout(async () => {
          const found = await axe.run({resultTypes: ["violations"]});
          document.body.dataset.scheme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
          document.body.dataset.checked = found.passes.length;
          document.body.dataset.found = JSON.stringify(found.violations.map(one => [one.impact, one.id]));
        }, 2000);
    """
    page = scripted(path, f"{axe}</script><script>{run}")
    dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
    (body,) = [attrs for tag, attrs in elements(rendered(page, *dark)) if tag == "body"]
    assert body["data-scheme"] == scheme
    assert int(body["data-checked"]) > 20
    assert [one for one in json.loads(body["data-found"]) if one[0] in ("serious", "critical")] == []


def test_a_narrow_screen_scrolls_inside_the_tables_only(path):
    tell = "setTimeout(() => parent.postMessage(document.documentElement.scrollWidth, '*'), 3000)"
    scripted(path, tell)
    frame = path.with_name("frame.html")
    frame.write_text(
        "<body><script>onmessage = event => document.body.dataset.width = event.data</script>"
        '<iframe src="scripted.html" style="width: 400px; height: 800px; border: 0"></iframe>'
    )
    (body,) = [attrs for tag, attrs in elements(rendered(frame)) if tag == "body"]
    assert int(body["data-width"]) <= 400
