"""What each term of the loss did during training, before its weight, and what its critic's own loss did: median over
the confirm runs' seeds. A critic's loss is a loss, no estimate of information."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table

TITLE = "Loss by term"
CHAPTER = "training"
ORDER = 42
RESTS = ("confirm",)
CRITIC = ": critic"
SHARE = "gradient share (%)"


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        for term, curve in _parts(runs, arm).items():
            first, last = float(curve[0][1]), float(curve[-1][1])
            row: Row = {"arm": runs.label(arm), "term": term, "first epoch": first, "last epoch": last}
            rows.append({**row, SHARE: _share(runs, arm, term)})
    digits = {"first epoch": 4, "last epoch": 4, SHARE: 0}
    note = (
        "Gradient share: what a term's weighted gradient has of all terms' norms in the student, at the end of "
        "training, on one batch; mean over seeds. A term that trains the teacher alone has none."
    )
    return [Table("losses", "Training loss of each term, median over seeds.", rows, digits, (note,), page=False)]


def drawing(runs: Runs) -> Drawing | None:
    claim = runs.study.claim
    arm = claim.arm if claim else runs.arms[-1] if runs.arms else ""
    points = [
        {"arm": runs.label(arm), "term": term, "epoch": epoch, "loss": loss}
        for term, curve in _parts(runs, arm).items()
        for epoch, loss in curve
    ]
    return Drawing(pd.DataFrame(points), "loss", of=("arm", "term"), along="epoch") if points else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Training loss of each term of the claim's arm, or else of the last arm, before its weight; dotted: its critic's.
    Median over seeds; no interval is drawn."""
    drawn = figures.new(340)
    for i, (_, curve) in enumerate(drawing.numbers.groupby("term", sort=False)):
        term = str(curve["term"].iloc[0])
        drawn.add_scatter(
            x=list(curve["epoch"]),
            y=list(curve["loss"]),
            mode="lines",
            line={
                "color": figures.PALETTE[i % len(figures.PALETTE)],
                "width": 2,
                "dash": "dot" if term.endswith(CRITIC) else "solid",
            },
            name=figures.plain(term, 40),
            hovertemplate=f"{figures.plain(term)}, epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
    drawn.update_xaxes(title="epoch")
    drawn.update_yaxes(title=f"loss of {figures.plain(drawing.numbers['arm'].iloc[0], 40)}'s terms")
    return drawn


def _share(runs: Runs, arm: str, term: str) -> float:
    trials = runs.select("confirm", arm)["trial"]
    values = trials.map(runs.last(f"test/gradient/{term}")).astype(float).dropna()
    return 100 * float(values.mean()) if len(values) else float("nan")


def _parts(runs: Runs, arm: str) -> dict[str, list[tuple[int, float]]]:
    """Median by epoch, of each term."""
    trials = set(runs.select("confirm", arm)["trial"])
    curves = {}
    for name in runs.names("train/loss/") + runs.names("train/critic/"):
        curve = runs.curve(name)
        median = curve[curve["trial"].isin(trials)].groupby("epoch")["value"].median()
        if len(median):
            _, kind, term = name.split("/", 2)
            label = f"{term}{CRITIC}" if kind == "critic" else term
            curves[label] = [(int(str(epoch)), float(value)) for epoch, value in median.items()]
    return curves
