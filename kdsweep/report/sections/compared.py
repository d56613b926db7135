"""The studies of this page, and what stands between them. Studies on the same data and the same test samples are
compared run by run; studies on different data by the ranks of the arms that all of them have."""

from __future__ import annotations

import json

import plotly.graph_objects as go

from kdsweep.report.runs import Runs
from kdsweep.report.several import TOLD, Several
from kdsweep.report.tables import Row, Table

TITLE = "What is compared"
ORDER = 12


def applies(runs: Runs) -> bool:
    return "several" in runs.study


def table(runs: Runs) -> list[Table]:
    several: Several = runs.study["several"]
    left_out = {one.b for one in several.refused}
    rows: list[Row] = [
        {
            "study": str(one.study["name"]),
            "data": str(one.study["fingerprint"])[:8],
            "student": ", ".join(one.study["student"]),
            "auxiliary": ", ".join(one.study["auxiliary"]),
            "metric": one.metric.label,
            "chosen by": one.selection,
            "search trials": int(one.study["search_trials"]),
            "seeds": int(one.study["seeds"]),
            "test samples": int(one.study["test_count"]),
            "state": "not compared"
            if one.study["name"] in left_out
            else "complete"
            if one.study["complete"]
            else "unfinished",
        }
        for one in several.studies
    ]
    refused: list[Row] = [{"study": one.b, "with": one.a, "why": one.why} for one in several.refused]
    notes = ("The same eight letters of data: the same content. Unfinished studies get no verdicts.",)
    return [
        Table("studies", "The studies.", rows, notes=notes),
        Table("refused", "Not comparable, and left out of everything below.", refused),
        Table(
            "differ",
            "What differs between studies on the same data; a difference in scores may come from it.",
            _differ(several),
        ),
    ]


def figure(runs: Runs) -> go.Figure | None:
    return None


def _differ(several: Several) -> list[Row]:
    rows: list[Row] = []
    by_name = {str(one.study["name"]): one.study for one in several.studies}
    for group in several.groups:
        for key in TOLD:
            told = {name: json.dumps(by_name[name].get(key), sort_keys=True) for name in group.names}
            if len(set(told.values())) > 1:
                rows += [{"what": key.replace("_", " "), "study": name, "value": words} for name, words in told.items()]
    return rows
