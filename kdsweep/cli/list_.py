"""`kdsweep list`: what is shipped, a line each."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from kdsweep.cli.options import console


class Shipped(StrEnum):
    methods = "methods"
    terms = "terms"
    datasets = "datasets"
    networks = "networks"


def list_(what: Annotated[Shipped, typer.Argument()]) -> None:
    """List what is shipped, a line each."""
    from rich.markup import escape
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, show_header=False)
    for name, words in _lines(what.value):
        grid.add_row(escape(name), escape(words))
    console().print(grid)


def _lines(what: str) -> list[tuple[str, str]]:
    match what:
        case "methods":
            from kdsweep import methods

            return [(name, methods.load(name).summary) for name in methods.names()]
        case "datasets":
            from kdsweep.data import registry as source

            return [(name, (source.module(name).__doc__ or "").split("\n")[0]) for name in source.names()]
        case "networks":
            from kdsweep.networks import ENCODERS, FUSIONS

            return [(name, part.summary) for name, part in {**ENCODERS, **FUSIONS}.items()]
    from kdsweep import objective

    terms = {name: getattr(objective, name) for name in sorted(objective.TERMS)}
    cited = {name: "; ".join(paper.citation for paper in term.papers) for name, term in terms.items()}
    return [(name, f"{(term.__doc__ or '').split(chr(10))[0]} {cited[name]}".strip()) for name, term in terms.items()]
