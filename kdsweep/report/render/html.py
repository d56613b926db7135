"""What every page has: the templates, the two scripts that alone may run, and how a cell becomes HTML."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from kdsweep.report.render.tables import Cell, Command, Difference, Link, P
from kdsweep.report.statistics.verdicts import Verdict

HERE = Path(__file__).parent


def render(template: str, **content: Any) -> str:
    """A template with this content; equal content gives an equal page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    scripts = [get_plotlyjs(), (HERE / "assets" / "page.js").read_text()]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return environment.get_template(template).render(
        # Only these two scripts may run, whatever a name in a study or in its data says.
        policy=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'",
        scripts=[Markup(script) for script in scripts],
        style=Markup((HERE / "assets" / "page.css").read_text()),
        kind=kind,
        sort=sort,
        **content,
    )


def inside(text: str) -> str:
    """A CSV inside the page, as a link to it: nothing has to lie beside it."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


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
