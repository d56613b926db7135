"""The studies of this page, and what stands between them. Studies on the same data and the same test samples are
compared run by run; studies on different data by the ranks of the arms that all of them have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.several import TOLD, Several
from kdsweep.report.render.tables import Row, Table

TITLE = "What is compared"
ORDER = 12


def applies(runs: Runs) -> bool:
    return "several" in runs.study


def table(runs: Runs) -> list[Table]:
    several: Several | None = runs.study.get("several")
    if several is None:
        return []
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
        told = {name: dict(_flat(by_name[name])) for name in group.names}
        for key in dict.fromkeys(key for values in told.values() for key in values):
            values = {name: values.get(key, "–") for name, values in told.items()}
            if len(set(values.values())) > 1:
                rows += [{"what": key, "study": name, "value": words} for name, words in values.items()]
    return rows


def _flat(study: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is told of a study, name by name: "train.epochs", "8"."""
    for key in TOLD:
        value = study.get(key)
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", json.dumps(one, sort_keys=True)) for name, one in value.items())
        else:
            yield key.replace("_", " "), json.dumps(value)
