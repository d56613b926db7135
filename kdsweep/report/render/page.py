"""One self-contained page out of the sections' folder, with every table and figure beside it as files."""

from __future__ import annotations

import base64
import hashlib
import importlib
import inspect
import json
import math
import pkgutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from kdsweep.atomic import write_text
from kdsweep.report import sections
from kdsweep.report.facts import progress
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import bibtex, csv, files, numbers
from kdsweep.report.render.glossary import explained
from kdsweep.report.render.tables import Cell, Command, Difference, Link, P, Table
from kdsweep.report.sections import headline, papers
from kdsweep.report.statistics.verdicts import Verdict

HERE = Path(__file__).parent
INSIDE = 100_000  # bytes of a table's CSV up to which it lies in the page itself
EMPTY = "Nothing to show here: the study does not ask for it, or has not come to it."


class Headline(NamedTuple):
    """What a report says first, and where it lies."""

    text: str
    path: Path


@dataclass(frozen=True)
class Part:
    """A section as the page shows it.

    Attributes:
        about: its caption.
        words: paragraphs.
        figure: JSON of a plotly figure; "" where there is none.
        alt: what the figure shows, in words.
        numbers: what it draws, as a link to a CSV inside the page.
        trouble: why it shows nothing.
        unfinished: what it still waits for; "" where it is whole.
    """

    slug: str
    title: str
    about: str = ""
    words: tuple[str, ...] = ()
    listing: str = ""
    tables: tuple[Table, ...] = ()
    figure: str = ""
    caption: str = ""
    alt: str = ""
    numbers: str = ""
    height: int = 0
    trouble: str = ""
    unfinished: str = ""


def build(
    runs: Runs, out: Path, *, figures: files.Ink = "", say: Callable[[Runs], headline.Said] = headline.say
) -> Headline:
    """Write out/index.html, and tables/, figures/, references.bib and runs.parquet beside it.

    Equal runs give equal files.

    Args:
        figures: "svg" or "pdf" for the figures themselves, beside their numbers.
        say: the first words.
    """
    out = Path(out)
    parts = [told(marked(draw(module, runs), runs), runs) for module in discover() if applies(module, runs)]
    files.write_tables(out / "tables", (table for part in parts for table in part.tables))
    files.write_figures(out / "figures", parts, figures)
    write_text(out / "references.bib", bibtex.render(papers.cited(runs)))
    runs.joined.to_parquet(out / "runs.parquet", index=False)
    said = say(runs)
    write_text(out / "index.html", page(runs, said, parts))
    return Headline(said.title, out / "index.html")


def discover() -> list[ModuleType | Part]:
    """The modules of the sections' folder in their order; one that cannot be imported says so in its place."""
    found: list[tuple[float, str, ModuleType | Part]] = []
    for name in sorted(module.name for module in pkgutil.iter_modules(sections.__path__)):
        try:
            module = importlib.import_module(f"{sections.__name__}.{name}")
            found.append((module.ORDER, name, module))
        except Exception as error:
            found.append((math.inf, name, _broken(name, name, error)))
    return [module for _, _, module in sorted(found, key=lambda one: one[:2])]


def applies(module: ModuleType | Part, runs: Runs) -> bool:
    """Whether a section has a meaning for this study at all; most always have."""
    if isinstance(module, Part):
        return True
    # Runs made elsewhere, and several studies together, have a few sections only.
    only = runs.study.sections
    if only is not None and module.__name__.rpartition(".")[2] not in only:
        return False
    return bool(module.applies(runs)) if hasattr(module, "applies") else True


def marked(part: Part, runs: Runs) -> Part:
    """The part, and what it still waits for; where the study says more truly what it is about, in its words."""
    name = part.slug.replace("-", "_")
    about = runs.study.captions.get(name, part.about)
    return replace(part, about=about, unfinished=progress.unfinished(name, runs))


def draw(module: ModuleType | Part, runs: Runs) -> Part:
    """A section's part of the page; a broken one costs its own place, never the report."""
    if isinstance(module, Part):
        return module
    slug = module.__name__.rsplit(".", 1)[-1].replace("_", "-")
    try:
        tables = tuple(table for table in module.table(runs) if table.rows)
        figure = module.figure(runs)
        words = tuple(module.words(runs)) if hasattr(module, "words") else ()
        listing = str(module.listing(runs)) if hasattr(module, "listing") else ""
    except Exception as error:
        return _broken(slug, module.TITLE, error)
    drawn = _short(json.loads(figure.to_json())) if figure is not None else {}
    return Part(
        slug=slug,
        title=module.TITLE,
        about=_paragraph(module.__doc__),
        words=words,
        listing=listing,
        tables=tables,
        figure=_json(drawn) if drawn else "",
        caption=_paragraph(module.figure.__doc__) if drawn else "",
        alt=numbers.words(drawn) if drawn else "",
        numbers=numbers.data_uri(numbers.as_csv(drawn)) if drawn else "",
        height=int(figure.layout.height) if figure is not None else 0,
        trouble="" if tables or words or listing or figure is not None else EMPTY,
    )


def told(part: Part, runs: Runs) -> Part:
    """The part with what every table of this study has to say."""
    if not runs.one_fold:
        return part
    words = f"{runs.one_fold.capitalize()}: other folds' test rows were trained on while they were chosen."
    return replace(part, tables=tuple(replace(table, notes=(*table.notes, words)) for table in part.tables))


def silent(part: Part) -> bool:
    """Whether a section has nothing to show and waits for nothing: it is named at the end, and takes no room."""
    return part.trouble == EMPTY and not part.unfinished


def page(runs: Runs, said: headline.Said, parts: list[Part]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    scripts = [get_plotlyjs(), (HERE / "assets" / "page.js").read_text()]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return environment.get_template("page.html").render(
        runs=runs,
        study=runs.study,
        said=said,
        parts=[part for part in parts if not silent(part)],
        absent=[part.title for part in parts if silent(part)],
        # Only these two scripts may run, whatever a name in a study says.
        policy=f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'",
        csv=_csv,
        numbers=lambda table: {column for column in table.columns if table.numeric(column)},
        scripts=[Markup(script) for script in scripts],
        style=Markup((HERE / "assets" / "page.css").read_text()),
        kind=_kind,
        sort=_sort,
        tip=explained,
    )


def _csv(table: Table) -> str:
    """Where a table's CSV lies: in the page, unless that would make it heavy."""
    text = csv.render(table)
    return numbers.data_uri(text) if len(text) <= INSIDE else f"tables/{table.name}.csv"


def _kind(cell: Cell) -> str:
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


def _sort(cell: Cell) -> str:
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


def _broken(slug: str, title: str, error: Exception) -> Part:
    warnings.warn(f"the report's section {slug!r} failed: {error!r}", stacklevel=2)
    return Part(slug, title, trouble=f"This section could not be drawn ({type(error).__name__}: {error}).")


def _paragraph(docstring: str | None) -> str:
    return " ".join(inspect.cleandoc(docstring or "").split())


def _json(value: Any) -> Markup:
    """JSON that can stand inside a script element: nothing in it ends the element or starts a comment."""
    text = json.dumps(value, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def _short(value: Any) -> Any:
    """Numbers to six digits: a page holds many, and nobody sees more in a figure."""
    match value:
        case float():
            return float(f"{value:.6g}")
        case list():
            return [_short(one) for one in value]
        case dict():
            return {name: _short(one) for name, one in value.items()}
    return value
