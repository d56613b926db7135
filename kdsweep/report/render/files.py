"""The files beside a report's page: every table and figure in the forms that a paper or a spreadsheet reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from kdsweep.atomic import write_text
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import csv, latex, markdown
from kdsweep.report.render.part import Part
from kdsweep.report.render.tables import Table
from kdsweep.tasks import registry as tasks

Ink = Literal["", "svg", "pdf"]
TABLES = {".csv": csv.render, ".tex": latex.render, ".md": markdown.render}
WIDTH = 720  # pixels: a figure that spans a page


def write_tables(folder: Path, tables: Iterable[Table]) -> None:
    """CSV, LaTeX, Markdown and Parquet of each; those of an earlier report go."""
    _emptied(folder, [*TABLES, ".parquet"])
    for table in tables:
        for suffix, render in TABLES.items():
            write_text(folder / f"{table.name}{suffix}", render(table))
        _typed(table.flat()).to_parquet(folder / f"{table.name}.parquet", index=False)


def write_runs(path: Path, runs: Runs) -> None:
    """A row a role of a trial, with its trial's scores."""
    runs.joined.merge(scores(runs), left_on="trial", right_index=True, how="left").to_parquet(path, index=False)


def scores(runs: Runs) -> pd.DataFrame:
    """By trial: every metric on validation and test, as it is stored, at the epoch whose weights count.

    A trial of which none does (pruned, failed) has what it reached last.
    """
    selected = runs.trials.set_index("trial")["selected"] if "selected" in runs.trials else pd.Series(dtype=int)
    columns = {}
    for name in (*runs.names("valid/"), *runs.names("test/")):
        part, _, metric = name.partition("/")
        if metric.removeprefix("teacher_") not in tasks.METRICS:
            continue
        columns[name] = runs.last(name)
        if part == "valid":
            curve = runs.curve(name)
            counts = curve[curve["epoch"] == curve["trial"].astype(str).map(selected)]
            columns[name] = counts.groupby("trial", observed=True)["value"].last().combine_first(columns[name])
    return pd.DataFrame(columns)


def write_figures(folder: Path, parts: Iterable[Part], ink: Ink) -> None:
    """The numbers of each figure as CSV and, where asked for, the figure itself.

    Raises:
        ValueError: figures were asked for and kaleido, or the browser that it draws with, is not there.
    """
    _emptied(folder, [".csv", ".svg", ".pdf"])
    drawn = [part for part in parts if part.figure]
    for part in drawn:
        write_text(folder / f"{part.slug}.csv", part.numbers)
    if not ink or not drawn:
        return
    try:
        import kaleido
    except ImportError as error:
        raise ValueError("figures as files need kaleido: pip install 'kdsweep[figures]'") from error
    figures = [on_paper(json.loads(part.figure)) for part in drawn]
    paths = [folder / f"{part.slug}.{ink}" for part in drawn]
    sizes = [{"format": ink, "width": WIDTH, "height": int(figure.layout.height)} for figure in figures]
    specs = [
        {"fig": figure, "path": str(path), "opts": size}
        for figure, path, size in zip(figures, paths, sizes, strict=True)
    ]
    try:
        # One browser draws them all.
        kaleido.write_fig_from_object_sync(specs)
    except Exception as error:
        raise ValueError(f"figures as files need Chrome or Chromium on the PATH: {error}") from error


def on_paper(figure: dict[str, object]) -> go.Figure:
    """A figure in the colours of the printed page, which elsewhere are the reader's screen's."""
    drawn = go.Figure(figure)
    drawn.update_layout(paper_bgcolor="white", plot_bgcolor="white", font_color="black")
    drawn.update_xaxes(gridcolor="#dddddd", linecolor="#888888")
    drawn.update_yaxes(gridcolor="#dddddd", linecolor="#888888")
    return drawn


def _emptied(folder: Path, suffixes: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.suffix in suffixes:
            path.unlink()


def _typed(flat: pd.DataFrame) -> pd.DataFrame:
    """Columns of one type each, as Parquet wants them: where words and numbers are mixed, all are words."""
    typed = flat.infer_objects()
    for column in typed:
        if typed[column].dtype == object:
            numeric = pd.to_numeric(flat[column], errors="coerce")
            whole = numeric.notna() == flat[column].notna()
            plain = flat[column].map(lambda cell: not isinstance(cell, str | bool))
            as_words = flat[column].map(lambda cell: None if cell is None else str(cell))
            typed[column] = numeric if whole.all() and plain.all() else as_words
    return typed
