"""Which terms matter: each row is the full method with something taken away or changed, on the same seeds. A row whose
verdict is worse needs what it lost; one that is equivalent can do without; one that is undecided shows neither."""

from __future__ import annotations

import functools
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report import figures
from kdsweep.report.compare import Comparison, ablated, compare, confirmed
from kdsweep.report.runs import Runs
from kdsweep.report.tables import Cell, Row, Table, difference, p_value
from kdsweep.report.verdicts import Verdict, judge, unit

TITLE = "Ablation"
ORDER = 30
COLUMNS = ("row", "difference", "p", "verdict", "n", "retuned")


def table(runs: Runs) -> list[Table]:
    found = _judged(runs)
    if not found:
        return []
    study, metric = runs.study, runs.metric
    arm = study["arms"][study["ablated"]]
    full = confirmed(runs, study["ablated"])
    name = f"{metric.label} ({metric.unit})"
    first: dict[str, Cell] = {
        "row": f"{full.label} (full)",
        **{_column(term): True for term in arm["terms"]},
        name: _mean(runs, list(full.finished.values())),
        "difference": None,
        "p": None,
        "verdict": None,
        "n": full.count,
        "retuned": "its own search",
        "what would decide it": "",
    }
    rows: list[Row] = [first]
    for row, retuned, side, one, verdict in found:
        rows.append(
            {
                "row": row,
                **{_column(term): term not in study["rows"][row]["dropped"] for term in arm["terms"]},
                name: _mean(runs, list(side.finished.values())),
                "difference": difference(one.interval, metric.scale),
                "p": p_value(verdict.p),
                "verdict": verdict,
                "n": side.count,
                "retuned": "its own search" if retuned else "no: the full method's settings, which favours it",
                "what would decide it": verdict.detail,
            }
        )
    caption = (
        f"Test {metric.label}; difference: row minus full method ({unit(metric.unit)}), with a 95% interval "
        f"({found[0][3].over}), unadjusted."
    )
    notes = ["Exploratory: the rows of this table are one Holm family."]
    if any(not retuned for _, retuned, *_ in found):
        notes.append(
            "Rows that were not retuned run at the full method's settings, which favours the full method: "
            "a search of their own might bring them closer."
        )
    digits = {name: runs.digits, "difference": runs.digits}
    return [Table("ablation", caption, rows, digits, tuple(notes), ("what would decide it",)), *_by_term(runs, found)]


def figure(runs: Runs) -> go.Figure | None:
    """Row minus full method, with a 95% interval for new seeds and new test samples, unadjusted; exploratory. Filled:
    the row had its own search; open: at the full method's settings, which favours it."""
    lines = []
    for row, retuned, _, one, _ in _judged(runs):
        shown = difference(one.interval, runs.metric.scale)
        if shown is None:
            continue
        color = figures.mark(runs, runs.study["ablated"]).color
        lines.append(figures.Line(row, shown.value, shown.low, shown.high, color, solid=retuned))
    if not lines:
        return None
    title = f"row − full method, {runs.metric.label} ({unit(runs.metric.unit)})"
    return figures.forest(lines, title=title, digits=runs.digits, margin=runs.study["equivalent"])


Found = list[tuple[str, bool, Any, Comparison, Verdict]]


@functools.lru_cache(maxsize=2)
def _judged(runs: Runs) -> Found:
    """Every row that has runs: its name, whether it was retuned, its side, its comparison and verdict."""
    if not runs.study["ablated"]:
        return []
    full = confirmed(runs, runs.study["ablated"])
    sides = [
        (row, retuned, ablated(runs, row, retuned=retuned))
        for row in runs.study["rows"]
        for retuned in (False, True)
        if len(runs.select("ablate", runs.study["ablated"], row=row, retuned=retuned))
    ]
    compared = [compare(runs, side, full) for _, _, side in sides]
    return [
        (row, retuned, side, one, verdict)
        for (row, retuned, side), one, verdict in zip(sides, compared, judge(runs, compared), strict=True)
    ]


def _by_term(runs: Runs, found: Found) -> list[Table]:
    """Leave-one-out beside add-one-in."""
    arm = runs.study["arms"][runs.study["ablated"]]
    always = {*arm["required"], *arm["base"]}
    rows: list[Row] = []
    for term in arm["terms"]:
        left = [entry for entry in found if _is(runs, entry[0], "leave_one_out", {term})]
        alone = set(arm["terms"]) - always - {term}
        added = [entry for entry in found if _is(runs, entry[0], "add_one_in", alone)]
        if left or added:
            rows.append({"term": term, **_cells(runs, "leave one out", left), **_cells(runs, "add one in", added)})
    if not any(row["add one in"] for row in rows):
        return []
    caption = (
        "Each term taken away from the full method, and each alone beside the terms that are always there; both as "
        f"difference from the full method ({unit(runs.metric.unit)}), with the table's intervals and verdicts."
    )
    notes = ("A term that is not missed may still help alone: terms can stand in for each other.",)
    return [Table("terms", caption, rows, dict.fromkeys(["leave one out", "add one in"], runs.digits), notes)]


def _is(runs: Runs, row: str, kind: str, dropped: set[str]) -> bool:
    entry = runs.study["rows"][row]
    return bool(entry["kind"] == kind and set(entry["dropped"]) == dropped)


def _cells(runs: Runs, name: str, entries: Found) -> dict[str, Cell]:
    if not entries:
        return {name: None, f"verdict, {name}": None}
    # A row that was tuned on its own terms says more than one that was not.
    _, _, _, one, verdict = entries[-1]
    return {name: difference(one.interval, runs.metric.scale), f"verdict, {name}": verdict}


def _column(term: str) -> str:
    """A term's column; a user's term may be called like one of ours."""
    return f"term {term}" if term in COLUMNS else term


def _mean(runs: Runs, trials: list[str]) -> float | None:
    values: pd.Series = runs.test().reindex(trials).dropna()
    return float(values.mean()) * runs.metric.scale if len(values) else None
