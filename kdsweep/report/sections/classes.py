"""Where the method gains and loses: the share of each class that is recognised on test, averaged over seeds.
Exploratory: a class has fewer samples than the test set, and its interval is the wider for it."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts import teachers
from kdsweep.report.facts.predicted import pair
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Difference, Row, Table, difference
from kdsweep.report.statistics.compare import confirmed
from kdsweep.report.statistics.paired import Paired, correct, paired

TITLE = "Class by class"
CHAPTER = "gains"
ORDER = 47
RESTS = ("confirm",)
PAGES = ("study", "imported")
MOST = 40  # classes in the figure: those that differ most


class Seen(NamedTuple):
    """Who is looked at: its name, its mark, and for every test sample of every run whether it was recognised."""

    name: str
    mark: figures.Mark
    right: pd.DataFrame

    @property
    def recall(self) -> pd.Series:
        """In %, by label."""
        return self.right.groupby("label")["right"].mean() * 100

    @property
    def mostly(self) -> pd.Series:
        """By sample: whether more than half of the runs recognise it."""
        return self.right.groupby("sample")["right"].mean() > 0.5


def applies(runs: Runs) -> bool:
    return runs.task.recognises


def table(runs: Runs) -> list[Table]:
    seen = _seen(runs)
    if len(seen) < 2:
        return []
    method, baseline = seen[:2]
    samples = method.right.drop_duplicates("sample").groupby("label").size()
    recall = [model.recall for model in seen]
    a, b = (confirmed(runs, arm) for arm in pair(runs) or ())
    pairs = paired(runs, a, b, correct)
    rows: list[Row] = [
        {
            "class": runs.class_name(label),
            "test samples": int(samples[label]),
            **{model.name: float(values[label]) for model, values in zip(seen, recall, strict=True)},
            "difference": _difference(pairs, label) or float(recall[0][label] - recall[1][label]),
        }
        for label in map(int, samples.index)
    ]
    digits = dict.fromkeys([*(model.name for model in seen), "difference"], 1)
    caption = (
        f"Recall of each class on test (%), mean over seeds; difference: {method.name} minus {baseline.name} (points)"
        + (
            f", with a 95% interval over seeds × {'groups' if runs.grouped else 'samples'}, unadjusted."
            if pairs
            else "."
        )
    )
    return [Table("classes", caption, rows, digits), _changed(method, baseline)]


def drawing(runs: Runs) -> Drawing | None:
    seen = _seen(runs)
    if len(seen) < 2:
        return None
    difference = seen[0].recall - seen[1].recall
    labels = difference[difference.abs().nlargest(MOST).index].sort_values(ascending=False).index
    points = [
        {"model": model.name, "class": runs.class_name(label), "recall on test (%)": model.recall.get(label)}
        for model in seen
        for label in map(int, labels)
    ]
    return Drawing(pd.DataFrame(points), "recall on test (%)", of=("model",))


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Recall of each class, mean over seeds; no interval is drawn. Classes are in the order of the difference between
    the method and its baseline, at most the forty that differ most."""
    models = list(drawing.numbers.groupby("model", sort=False))
    names = [figures.plain(name, 20) for name in models[0][1]["class"]]
    drawn = figures.new(110 + 26 * len(names))
    marks = {seen.name: seen.mark for seen in _seen(runs)}
    for model, points in reversed(models):
        mark, name = marks[str(model)], figures.plain(str(model), 40)
        drawn.add_scatter(
            x=list(points[drawing.value]),
            y=list(range(len(names))),
            mode="markers",
            marker={"color": mark.color, "symbol": mark.symbol, "size": 9, "opacity": 0.85},
            name=name,
            hovertemplate=f"{name}: %{{x:.1f}}<extra></extra>",
        )
    drawn.update_xaxes(title=drawing.value)
    drawn.update_yaxes(tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6])
    return drawn


def _difference(pairs: Paired | None, label: int) -> Difference | None:
    return difference(pairs.interval(pairs.label == label), 100) if pairs is not None else None


def _seen(runs: Runs) -> list[Seen]:
    """The arm of the claim or else the last one, its first baseline and, where it is frozen, its teacher."""
    chosen = pair(runs)
    if chosen is None:
        return []
    arm = chosen.method
    seen = [
        Seen(runs.label(name), figures.mark(runs, name), _right(runs, list(confirmed(runs, name).finished.values())))
        for name in chosen
    ]
    if any(model.right.empty for model in seen):
        return []
    teacher = _right(runs, teachers.models_of(runs.select("confirm", arm)))
    if len(teacher):
        seen.append(Seen(f"teacher of {runs.label(arm)}", figures.Mark(figures.GREY, "diamond-open"), teacher))
    return seen


def _right(runs: Runs, trials: list[str]) -> pd.DataFrame:
    """Sample, label and whether it was recognised, for every trial whose predictions were kept."""
    kept = [predictions for trial in trials if trial and (predictions := runs.predictions(trial)) is not None]
    if not kept:
        return pd.DataFrame(columns=["sample", "label", "right"])
    whole = pd.concat(kept)
    return whole.assign(right=whole["prediction"] == whole["label"])[["sample", "label", "right"]]


def _changed(method: Seen, baseline: Seen) -> Table:
    """Samples that most runs of one recognise and most runs of the other do not."""
    both = pd.concat([method.mostly, baseline.mostly], axis=1, keys=["a", "b"]).dropna().astype(bool)
    counts = {
        "both": both["a"] & both["b"],
        f"{method.name} alone (gained)": both["a"] & ~both["b"],
        f"{baseline.name} alone (lost)": ~both["a"] & both["b"],
        "neither": ~both["a"] & ~both["b"],
    }
    rows: list[Row] = [{"recognised by": who, "test samples": int(which.sum())} for who, which in counts.items()]
    return Table("gained", "Test samples by who recognises them, in more than half of the seeds.", rows, page=False)
