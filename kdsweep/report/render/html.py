"""What every page has: the templates, the two scripts that alone may run, and how a cell becomes HTML."""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from kdsweep.report.render import csv, ink
from kdsweep.report.render.tables import Cell, Command, Difference, Link, P, Table, number, signed
from kdsweep.report.statistics.verdicts import Verdict

HERE = Path(__file__).parent
INSIDE = 20_000  # bytes of a CSV up to which it lies in the page itself
MOST = 60  # rows of a table on the page; all are in its files
HOLM = (
    "Holm's adjustment: each p is multiplied by how many comparisons of its family are still open, so that a study's "
    "chance of any false verdict stays at the level of one."
)


def render(template: str, *, tip: Callable[[str], str | None], **content: Any) -> str:
    """A template with this content; equal content gives an equal page.

    Args:
        tip: what a column's head means; None where it speaks for itself.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["lower_first"] = lower_first
    script = (HERE / "assets" / "page.js").read_text()
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s).digest()).decode()}'" for s in _scripts(script))
    return environment.get_template(template).render(
        # Only these two scripts may run, whatever a name in a study or in its data says.
        policy=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'",
        script=Markup(script),
        plotly=_packed(),
        style=Markup((HERE / "assets" / "page.css").read_text()),
        kind=kind,
        sort=sort,
        tip=tip,
        ink=ink,
        number=number,
        signed=signed,
        seconds=seconds,
        why=why,
        broken=broken,
        marked=marked,
        most=MOST,
        type=lambda cell: type(cell).__name__,
        numbers=lambda table: {column for column in table.columns if table.numeric(column)},
        files=content.pop("files", lambda table: ""),
        inside=content.pop("inside", lambda part: ""),
        **content,
    )


@functools.cache
def _packed() -> Markup:
    """Plotly as text that the page inflates when it first draws: nobody waits for it to read."""
    return Markup(base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode())


def _scripts(page: str) -> tuple[bytes, bytes]:
    return get_plotlyjs().encode(), page.encode()


def linked(text: str, otherwise: str) -> str:
    """The address of a CSV: inside the page, unless that would make it heavy, else beside it."""
    if len(text) > INSIDE:
        return otherwise
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


def files(table: Table) -> Markup:
    """Links to a table's files."""
    href = linked(csv.render(table), f"tables/{table.name}.csv")
    links = [Markup('<a href="{}" download="{}.csv">CSV</a>').format(href, table.name)]
    for suffix, words in (("parquet", "Parquet"), ("tex", "LaTeX"), ("md", "Markdown")):
        links.append(Markup('<a href="tables/{}.{}">{}</a>').format(table.name, suffix, words))
    return Markup(" ").join(links)


def kind(cell: Cell) -> str:
    """What the page does with a cell: a command can be copied, a link followed, a verdict has a colour."""
    match cell:
        case Command():
            return "command"
        case Link():
            return "link"
        case Verdict():
            return "verdict"
        case bool():
            return "yes" if cell else "no"
    return ""


def sort(cell: Cell) -> str:
    """What a column is sorted by."""
    match cell:
        case None:
            return ""
        case Difference(value=value) | P(value):
            return repr(value)
        case bool():
            return str(int(cell))
        case int() | float():
            return repr(cell)
        case Command(text=words) | Link(text=words):
            return words
    return str(cell)


def seconds(value: float) -> str:
    """A time of training, as long as it is."""
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def why(verdict: Verdict) -> str:
    """What a verdict rests on, and what stands in its way."""
    p = "" if verdict.p is None else "p < 0.001" if verdict.p < 0.001 else f"p = {verdict.p:.3f}"
    detail = verdict.detail[:1].upper() + verdict.detail[1:]
    return ". ".join(filter(None, [f"{p}, Holm-adjusted" if p else "", detail]))


def broken(words: str) -> Markup:
    """A name that may break after its underscores."""
    return Markup("_<wbr>").join(words.split("_"))


def marked(note: str) -> Markup:
    """A sentence in which the allowance for several comparisons explains itself."""
    said = escape(note)
    return Markup(
        said.replace(
            "several comparisons",
            Markup('<span class="word" tabindex="0" data-tip="{}">several comparisons</span>').format(HOLM),
            1,
        )
    )


def lower_first(words: str) -> str:
    """As it stands within a line: names and abbreviations keep their letters."""
    return words if words[1:2].isupper() else words[:1].lower() + words[1:]
