"""Every arm under an equal tuning budget, and the reference rows outside it. Differences are row minus baseline with a
95% interval, unadjusted."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts import costs, teachers
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.board import Board, BoardCell, Head, Name, Seconds, Seeds, forest
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Cell, Row, Spread, Table, difference, p_value, significant, text
from kdsweep.report.statistics import power, summaries
from kdsweep.report.statistics.compare import confirmed, scored
from kdsweep.report.statistics.verdicts import against_baselines, unit
from kdsweep.tasks.registry import METRICS

TITLE = "Every method, on the same seeds"
CHAPTER = "front"
ORDER = 20
RESTS = ("search", "finalists", "confirm")
PAGES = ("study", "imported")
CAPTIONS = {
    "imported": "Every arm of the tables that were given; tuning budgets are not verified. Differences are row minus "
    "baseline with a 95% interval, unadjusted."
}
GLOSSARY = {
    "IQM": "Interquartile mean: the mean of the middle half of the seeds, less moved by one collapsed run.",
    "median": "The middle seed: unmoved by one collapsed run.",
    "role": "Part of the claim, its baseline, exploratory, or a reference outside the equal budget.",
    "device-seconds": "Training time of all its trials and of the teachers and auxiliary models that they read, the "
    "searches for those included; a model that several arms share counts in each.",
}

# With one teacher for all seeds, an interval is about new students of it.
MEAN = "mean"
GIVEN = {"brought": "which was brought along: its training data is not verified", "one": "one for all seeds"}


def table(runs: Runs) -> list[Table]:
    whole = main(runs)
    detects = power.note(runs, power.main(list(against_baselines(runs).values())))
    return [replace(whole, notes=(*whole.notes, *detects))]


def main(runs: Runs) -> Table:
    """The table without what its comparisons can detect: arms of several studies vary in that beyond any use."""
    judged = against_baselines(runs)
    metric, claim = runs.metric, runs.study.claim
    name = f"{metric.label} ({metric.unit})"
    rows: list[Row] = []
    for arm in runs.arms:
        side = confirmed(runs, arm)
        values = scored(runs, side) * metric.scale
        role = "claim" if claim and arm == claim.arm else "baseline" if arm in runs.baselines else "exploratory"
        row: dict[str, Cell] = {"arm": runs.label(arm), "role": role, name: _mean(values), "SD": _sd(values)}
        for baseline in runs.baselines:
            judgement = judged.get((arm, baseline))
            label = runs.label(baseline)
            row[f"− {label}"] = difference(judgement.comparison.interval, metric.scale) if judgement else None
            row[f"p, {label}"] = p_value(judgement.verdict.p) if judgement else None
            row[f"verdict, {label}"] = judgement.verdict if judgement else None
        spent = costs.spent(runs, arm)
        row |= {
            "n": side.count,
            **_robust(values),
            **_others(runs, list(side.finished.values())),
            "teacher": teachers.in_words(runs, side.roles),
            **spent,
        }
        rows.append(row)
    for arm in runs.references:
        for label, roles in runs.references_of(arm).items():
            done = roles[roles["state"] == "complete"]
            values = runs.test().reindex(done["trial"]).dropna() * metric.scale
            row = dict.fromkeys(rows[0]) if rows else {}
            row |= {"arm": label, "role": "reference", name: _mean(values), "SD": _sd(values), "n": str(len(values))}
            rows.append({**row, **_robust(values), **_others(runs, list(done["trial"]))})
    for fitted in runs.fitted:
        if fitted.scores:
            row = dict.fromkeys(rows[0]) if rows else {}
            row |= {_name(other): fitted.scores[other] * METRICS[other].scale for other in runs.test_metrics}
            rows.append({**row, "arm": fitted.label, "role": "reference", "n": str(fitted.folds)})
    differences = {f"− {runs.label(arm)}": runs.digits for arm in runs.baselines}
    others = {_name(other): 3 if METRICS[other].scale == 1 else runs.digits for other in runs.test_metrics[1:]}
    score_digits = dict.fromkeys([name, "SD", "IQM", "median"], runs.digits)
    verdicts = {f"− {runs.label(arm)}": f"verdict, {runs.label(arm)}" for arm in runs.baselines}
    return Table(
        "arms",
        f"Test {metric.label} at each arm's best settings, by {runs.selection}.",
        rows,
        {**score_digits, "device-seconds": 0, **differences, **others},
        _notes(runs),
        bold=_best(runs, rows, name),
        dagger=significant(rows, verdicts),
    )


def boards(runs: Runs) -> list[Board]:
    judged = against_baselines(runs)
    claim, scale = runs.study.claim, runs.metric.scale
    scores = {arm: scored(runs, confirmed(runs, arm)) for arm in runs.arms}
    worst = -math.inf if runs.metric.maximize else math.inf
    means = {arm: float(values.mean()) if len(values) else worst for arm, values in scores.items()}
    order = sorted(runs.arms, key=lambda arm: means[arm], reverse=runs.metric.maximize)
    if claim:
        order.sort(key=lambda arm: arm != claim.arm)
    margin = runs.study.equivalent
    band = f"band: called equal (±{margin:g})" if margin is not None else ""
    heads = [Head("method"), Head(f"test {runs.metric.label}, each seed a dot", "seeds"), Head("mean ± SD", "number")]
    heads += [
        Head(f"against {runs.label(arm)}, {unit(runs.metric.unit)}", "forest", band if not i else "")
        for i, arm in enumerate(runs.baselines)
    ]
    timed = not runs.study.imported
    rows: list[list[BoardCell]] = []
    for arm in order:
        side, values = confirmed(runs, arm), scores[arm] * scale
        beside = ["claim"] if claim and arm == claim.arm else []
        beside += ["" if side.whole else f"n = {side.count}"]
        row: list[BoardCell] = [
            Name(runs.label(arm), ", ".join(filter(None, beside))),
            Seeds(tuple(values)),
            Spread(float(values.mean()), float(values.std()) if len(values) > 1 else None) if len(values) else None,
        ]
        for baseline in runs.baselines:
            found = judged.get((arm, baseline))
            row.append(forest(found.comparison, found.verdict, scale, solid=found.claimed) if found else None)
        spent = costs.spent(runs, arm).get("device-seconds")
        rows.append([*row, *([Seconds(float(spent))] if timed and isinstance(spent, int | float) else [])])
    return [
        Board(
            label=f"Test {runs.metric.label} ({runs.metric.unit}) of every method, and its distance from each baseline",
            heads=(*heads, *([Head("time", "number")] if timed else [])),
            rows=rows,
            digits=runs.digits,
            strong=frozenset(i for i, arm in enumerate(order) if claim and arm == claim.arm),
            margin=margin,
            notes=_marks(runs),
            files=("arms", "arms-paper"),
        )
    ]


def _marks(runs: Runs) -> tuple[str, ...]:
    """What the marks of the board mean, and who stands outside it."""
    found = [judged.comparison for judged in against_baselines(runs).values()]
    over = next((comparison.over for comparison in found if comparison.interval), "")
    words = {"samples": "test sample", "groups": "test group"}
    drawn = [f"a new {words.get(word, word.removesuffix('s'))}" for word in over.removesuffix(" only").split(" × ")]
    new = " and ".join(drawn)
    less = "" if runs.metric.maximize else " Less is better."
    said = (
        []
        if not over
        else [
            f"Thick bars: 95 % for {new}; thin: the interval that agrees with the verdict, which allows for several "
            f"comparisons. Filled: the claim; open: exploratory.{less}"
        ]
    )
    outside = []
    for arm in runs.references:
        for label, roles in runs.references_of(arm).items():
            values = runs.test().reindex(roles[roles["state"] == "complete"]["trial"]).dropna() * runs.metric.scale
            if len(values):
                outside.append(f"{label} {text(Spread(_mean(values) or 0.0, _sd(values)), runs.digits)}")
    outside += [
        f"{fitted.label} {text(runs.printed(fitted.scores[runs.study.metric]), runs.digits)}"
        for fitted in runs.fitted
        if fitted.scores
    ]
    if outside:
        said.append(f"Not in the comparison: {'; '.join(outside)}.")
    said += [f"{fitted.label}: {note}." for fitted in runs.fitted for note in fitted.notes]
    for kind, given in GIVEN.items():
        if labels := [runs.label(arm) for arm in runs.arms if teachers.shared(runs, arm) == kind]:
            said.append(f"{', '.join(labels)}: given this teacher, {given}.")
    return tuple(said)


def drawing(runs: Runs) -> Drawing | None:
    value = f"test {runs.metric.label} ({runs.metric.unit})"
    points = []
    for label, (_, roles) in _lines(runs).items():
        done = roles[roles["state"] == "complete"].sort_values(["repeat", "fold", "seed"])
        scores = runs.test().reindex(done["trial"]) * runs.metric.scale
        mean = float(scores.mean())
        keys = done[["repeat", "fold", "seed"]]
        points.append(keys.assign(arm=label, **{value: list(scores)}).assign(**{MEAN: mean}))
    numbers = pd.concat(points)[["arm", "repeat", "fold", "seed", value, MEAN]] if points else pd.DataFrame()
    return Drawing(numbers, value, of=("arm",)) if len(numbers) else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Every confirm run as a point, in the order of the seeds from top to bottom; the bar is the mean over seeds."""
    value, lines = drawing.value, _lines(runs)
    drawn = figures.new(90 + 44 * len(lines), showlegend=False)
    for line, (label, (arm, _)) in enumerate(lines.items()):
        mark, points = figures.mark(runs, arm), drawing.numbers[drawing.numbers["arm"] == label]
        drawn.add_scatter(
            x=list(points[value]),
            y=[line - 0.25 + 0.5 * (i + 0.5) / len(points) for i in range(len(points))],
            mode="markers",
            marker={"color": mark.color, "symbol": mark.symbol, "size": 8, "opacity": 0.75},
            text=[f"seed {seed}" for seed in points["seed"]],
            hovertemplate=f"{figures.plain(label, 60)}, %{{text}}: %{{x:.{runs.digits}f}}<extra></extra>",
        )
        if len(points):
            mean = float(points[MEAN].iloc[0])
            bar = {"color": mark.color, "width": 2.5}
            drawn.add_shape(type="line", x0=mean, x1=mean, y0=line - 0.36, y1=line + 0.36, line=bar)
    drawn.update_xaxes(title=value)
    drawn.update_yaxes(
        tickvals=list(range(len(lines))),
        ticktext=[figures.plain(label) for label in lines],
        range=[len(lines) - 0.4, -0.6],
        showgrid=False,
    )
    return drawn


def _lines(runs: Runs) -> dict[str, tuple[str, pd.DataFrame]]:
    """Lines of the figure by their label: the arm, and its confirm runs; below the arms, the reference rows."""
    lines = {runs.label(arm): (arm, confirmed(runs, arm).roles) for arm in runs.arms}
    references = {label: (arm, roles) for arm in runs.references for label, roles in runs.references_of(arm).items()}
    return lines | references


def _notes(runs: Runs) -> tuple[str, ...]:
    claimed = "Comparisons of the claim are one Holm family" if runs.study.claim else "No claim was stated"
    notes = [
        f"{claimed}; every other comparison is exploratory, and they are a family of their own. p and verdicts are "
        "adjusted within the family, intervals are not."
    ]
    if not runs.metric.mean:
        notes.append(
            f"{runs.metric.label} is no mean over samples: its differences are jackknife estimates, whose bias is "
            "removed, and may differ in the last digits from the difference of the means."
        )
    for kind, given in GIVEN.items():
        if labels := [runs.label(arm) for arm in runs.arms if teachers.shared(runs, arm) == kind]:
            notes.append(f"{', '.join(labels)}: given this teacher, {given}.")
    notes.append(
        f"Differences are in {unit(runs.metric.unit)}. Reference rows stand outside the equal budget. Bold: the best "
        "mean among the arms, which need not be better than the next."
    )
    notes += [f"{fitted.label}: {note}." for fitted in runs.fitted for note in fitted.notes]
    if runs.study.metric == "log_loss":
        notes.append(
            "Intervals of log loss come from stored scores of half precision: they and the means may differ in the "
            "fourth digit."
        )
    return tuple(notes)


def _best(runs: Runs, rows: list[Row], column: str) -> frozenset[tuple[int, str]]:
    """The best mean of the arms that share the budget."""
    means = {index: row[column] for index, row in enumerate(rows) if row["role"] != "reference"}
    known = {index: mean for index, mean in means.items() if isinstance(mean, float)}
    if len(known) < 2:
        return frozenset()
    pick = max if runs.study.maximize else min
    return frozenset({(pick(known, key=lambda index: known[index]), column)})


def _robust(values: pd.Series) -> dict[str, Cell]:
    if not len(values):
        return {"IQM": None, "median": None}
    return {"IQM": summaries.interquartile_mean(values), "median": float(values.median())}


def _others(runs: Runs, trials: list[str]) -> dict[str, Cell]:
    """Means of the other metrics that were read on test."""
    return {
        _name(other): _mean(runs.test(other).reindex(trials).dropna() * METRICS[other].scale)
        for other in runs.test_metrics[1:]
    }


def _name(metric: str) -> str:
    return f"{METRICS[metric].label} ({METRICS[metric].unit})"


def _mean(values: pd.Series) -> float | None:
    return float(values.mean()) if len(values) else None


def _sd(values: pd.Series) -> float | None:
    return float(values.std()) if len(values) > 1 else None
