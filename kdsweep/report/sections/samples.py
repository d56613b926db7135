"""Which test samples the method gained and lost against its baseline, by id: look at them. A list of these runs,
without verdicts."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.predicted import Pair, pair, student_predictions, teacher_predictions
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Cell, Row, Table

TITLE = "Gained and lost"
CHAPTER = "gains"
ORDER = 48.5
RESTS = ("confirm",)
PAGES = ("study", "imported")
MOST = 100  # samples listed in a table


def applies(runs: Runs) -> bool:
    return runs.task.scores.softmax


def table(runs: Runs) -> list[Table]:
    chosen, seen = pair(runs), _samples(runs)
    if chosen is None or seen.empty:
        return []
    method, baseline = (runs.label(arm) for arm in chosen)
    gained = seen[(seen["a"] > 0.5) & (seen["b"] <= 0.5)]
    lost = seen[(seen["a"] <= 0.5) & (seen["b"] > 0.5)]
    by_chance = _by_chance(runs, chosen.baseline)
    notes = (
        "Shares are of the seeds that get a sample right; gained and lost go by more than half of them.",
        f"A yardstick: two halves of {baseline}'s own seeds part in the same way on {by_chance} samples.",
    )
    tables = []
    for name, words, rows, sign in (
        ("gained-samples", f"{method} gets right and {baseline} does not", gained, -1),
        ("lost-samples", f"{baseline} gets right and {method} does not", lost, 1),
    ):
        order = (sign * (rows["a"] - rows["b"])).sort_values(kind="stable").index[:MOST]
        more = f"; the {MOST} clearest of them" if len(rows) > MOST else ""
        caption = f"{len(rows)} of {len(seen)} test samples that {words}{more}."
        listed = [_row(runs, chosen, str(sample), rows.loc[sample]) for sample in order]
        digits = {f"{name}, right": 0 for name in (method, baseline, "teacher")}
        tables.append(Table(name, caption, listed, digits, notes if sign == -1 else (), most=3))
    return tables


def drawing(runs: Runs) -> Drawing | None:
    chosen, seen = pair(runs), _samples(runs)
    if chosen is None or seen.empty:
        return None
    method, baseline = (f"seeds of {runs.label(arm)} that are right (%)" for arm in chosen)
    shares = pd.DataFrame(
        {name: (100 * seen[side]).round().astype(int) for name, side in ((baseline, "b"), (method, "a"))}
    )
    return Drawing(shares.groupby([baseline, method]).size().reset_index(name="samples"), "samples")


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Test samples by the share of seeds that get them right, the baseline across and the method upwards; the size of a
    dot is how many samples it stands for. Above the dotted line the method gained. No interval is drawn."""
    chosen = pair(runs)
    assert chosen is not None
    across, upwards, counts = (list(drawing.numbers[column]) for column in drawing.numbers)
    drawn = figures.new(460, showlegend=False)
    method, baseline = (figures.plain(runs.label(arm), 40) for arm in chosen)
    drawn.add_scatter(
        x=across,
        y=upwards,
        mode="markers",
        marker={
            "size": list(np.clip(3.2 * np.sqrt(counts), 4, 44)),
            "color": figures.mark(runs, chosen.method).color,
            "opacity": 0.6,
            "line": {"width": 0.5, "color": figures.GREY},
        },
        customdata=counts,
        hovertemplate=f"%{{customdata}} samples: {method} %{{y}} %, {baseline} %{{x}} %<extra></extra>",
    )
    line = {"color": figures.GREY, "width": 1.5, "dash": "dot"}
    drawn.add_shape(type="line", x0=0, y0=0, x1=100, y1=100, line=line, layer="below")
    drawn.update_xaxes(title=f"seeds of {baseline} that are right (%)", range=[-6, 106])
    drawn.update_yaxes(title=f"seeds of {method} (%)", range=[-8, 108])
    return drawn


@functools.lru_cache(maxsize=2)
def _samples(runs: Runs) -> pd.DataFrame:
    """By sample id: label, group, shares of runs of the method (a), of its baseline (b) and of its teacher (t) that get
    it right, and what the first two mostly say."""
    chosen = pair(runs)
    if chosen is None:
        return pd.DataFrame()
    a, b = (student_predictions(runs, arm) for arm in chosen)
    if a.empty or b.empty:
        return pd.DataFrame()
    about = a.drop_duplicates("sample").set_index("sample")[["label", "group"]]
    both = about.join(pd.DataFrame({"a": _right(a), "b": _right(b), "says a": _mostly(a), "says b": _mostly(b)}))
    teachers = teacher_predictions(runs, chosen.method)
    return both.assign(t=_right(teachers) if len(teachers) else np.nan).dropna(subset=["a", "b"])


def _right(predictions: pd.DataFrame) -> pd.Series:
    right = predictions["prediction"] == predictions["label"]
    return right.groupby(predictions["sample"]).mean()


def _mostly(predictions: pd.DataFrame) -> pd.Series:
    """The most frequent answer to each sample, the smaller number on a tie."""
    counts = predictions.groupby(["sample", "prediction"]).size().reset_index(name="n")
    best = counts.sort_values(["n", "prediction"], ascending=[False, True], kind="stable").drop_duplicates("sample")
    return best.set_index("sample")["prediction"]


def _by_chance(runs: Runs, baseline: str) -> int:
    """Samples on which the majorities of the odd and of the even runs of one arm part."""
    predictions = student_predictions(runs, baseline)
    halves = [_right(predictions[predictions["run"] % 2 == half]) > 0.5 for half in (0, 1)]
    return int((halves[0] != halves[1].reindex(halves[0].index)).sum()) if len(halves[1]) else 0


def _row(runs: Runs, chosen: Pair, sample: str, seen: pd.Series) -> Row:
    method, baseline = (runs.label(arm) for arm in chosen)
    row: dict[str, Cell] = {"sample": sample}
    if runs.grouped:
        row["group"] = str(seen["group"])
    row |= {
        "class": runs.class_name(int(seen["label"])),
        f"{method}, right": 100 * float(seen["a"]),
        f"{baseline}, right": 100 * float(seen["b"]),
        f"{method} mostly says": runs.class_name(int(seen["says a"])),
        f"{baseline} mostly says": runs.class_name(int(seen["says b"])),
    }
    if not np.isnan(seen["t"]):
        row["teacher, right"] = 100 * float(seen["t"])
    return row
