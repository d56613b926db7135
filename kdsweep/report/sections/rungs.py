"""Where search trials were stopped early: at a rung, a trial goes on only if it keeps up with the better share of the
earlier generations. Pruned trials count in the budget and are never ranked against finished ones."""

from __future__ import annotations

import json

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table

TITLE = "Pruning"
CHAPTER = "search"
ORDER = 61
RESTS = ("search",)
GLOSSARY = {
    "rung (epoch)": "Where a search trial stops unless it keeps up with the better share of the earlier generations.",
}


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        trials = _trials(runs, arm)
        for rung in _rungs(trials):
            bars = [bars[rung] for bars in trials["bars"] if rung in bars]
            judged = trials[trials["bars"].map(lambda bars, rung=rung: rung in bars) & (trials["epochs"] >= rung)]
            stopped = judged[(judged["state"] == "pruned") & (judged["epochs"] == rung)]
            rows.append(
                {
                    "arm": runs.label(arm),
                    "rung (epoch)": rung,
                    "reached it": len(judged),
                    "stopped there": len(stopped),
                    "bar, first": runs.printed(bars[0]),
                    "bar, last": runs.printed(bars[-1]),
                    "epochs saved": int((_full(trials) - stopped["epochs"]).sum()),
                }
            )
    caption = (
        f"Search trials by rung. The bar is the validation {runs.metric.label} ({runs.metric.unit}) that a trial had "
        "to reach there, set before it started; the first and the last of the search."
    )
    notes = ("Trials of the first generation have no bar and run in full; a schedule still rising delays the judging.",)
    return [Table("rungs", caption, rows, {"bar, first": runs.digits, "bar, last": runs.digits}, notes, page=False)]


def drawing(runs: Runs) -> Drawing | None:
    points = []
    for arm in runs.arms:
        trials = _trials(runs, arm)
        if trials.empty or not _rungs(trials):
            continue
        for epoch in range(_full(trials) + 1):
            going = (trials["epochs"] > epoch) | (trials["state"] == "complete")
            points.append({"arm": runs.label(arm), "epoch": epoch, "still training (%)": 100 * float(going.mean())})
    return Drawing(pd.DataFrame(points), "still training (%)", of=("arm",), along="epoch") if points else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Share of each arm's search trials that was still training after each epoch; a step down is a rung, or trials that
    failed. No interval is drawn."""
    drawn, marks = figures.new(320), figures.marks(runs)
    for arm, curve in drawing.numbers.groupby("arm", sort=False):
        label = figures.plain(str(arm), 40)
        drawn.add_scatter(
            x=list(curve["epoch"]),
            y=list(curve[drawing.value]),
            mode="lines",
            line={"color": marks[arm].color, "width": 2, "shape": "hv"},
            name=label,
            hovertemplate=f"{label}, after epoch %{{x}}: %{{y:.0f}} %<extra></extra>",
        )
    drawn.update_xaxes(title="epoch")
    drawn.update_yaxes(title=drawing.value, range=[0, 104])
    return drawn


def _trials(runs: Runs, arm: str) -> pd.DataFrame:
    """An arm's search trials with a result, and each one's bars by rung."""
    trials = runs.select("search", arm).drop_duplicates("trial")
    trials = trials[trials["state"].isin(["complete", "pruned", "failed"])].sort_values(["repeat", "fold", "number"])
    thresholds = trials["thresholds"] if "thresholds" in trials else pd.Series("[]", index=trials.index)
    bars = [{int(e): float(v) for e, v in json.loads(cell)} if isinstance(cell, str) else {} for cell in thresholds]
    return trials.assign(bars=pd.Series(bars, index=trials.index, dtype=object))


def _rungs(trials: pd.DataFrame) -> list[int]:
    return sorted({rung for bars in trials["bars"] for rung in bars})


def _full(trials: pd.DataFrame) -> int:
    """Epochs of a trial that runs to its end."""
    done = trials[trials["state"] == "complete"]["epochs"]
    return int(done.max() if len(done) else trials["epochs"].max())
