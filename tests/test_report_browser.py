"""What a browser makes of a report. Needs Chromium; skips where there is none."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kdsweep.report import build
from tests import report_fakes
from tests.report_fakes import elements

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


def rendered(path: Path) -> str:
    """The page's elements after its scripts ran."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=10000", "--dump-dom"]
    return subprocess.run([*command, f"file://{path}"], capture_output=True, text=True, timeout=120, check=True).stdout


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


def test_a_click_on_a_column_head_sorts_its_table(path):
    click = """
        const head = [...document.querySelectorAll("#arms th button")].find(b => b.textContent.startsWith("accuracy"));
        const column = head.closest("th").cellIndex, body = head.closest("table").tBodies[0];
        const values = () => [...body.rows].map(row => row.cells[column].dataset.sort).join();
        head.click(); document.body.dataset.up = values();
        head.click(); document.body.dataset.down = values();
    """
    (body,) = [attrs for tag, attrs in elements(rendered(scripted(path, click))) if tag == "body"]
    up, down = ([float(value) for value in body[f"data-{way}"].split(",")] for way in ("up", "down"))
    assert up == sorted(up)
    assert down == up[::-1]


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
