"""Every difference from a baseline in one picture."""

from __future__ import annotations

from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts import costs, teachers
from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.shown import claim_in_words, date, result_in_words
from kdsweep.report.facts.words import listed
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing, spread
from kdsweep.report.render.section import Answer
from kdsweep.report.render.tables import difference, text
from kdsweep.report.statistics.compare import confirmed
from kdsweep.report.statistics.controls import judged_controls
from kdsweep.report.statistics.health import beats, cautions
from kdsweep.report.statistics.verdicts import ALPHA, Judged, against_baselines, amount, unit

TITLE = "The differences, drawn"
CHAPTER = "paper"
ORDER = 82
RESTS = ("search", "finalists", "confirm")
PAGES = ("study", "imported")


def answer(runs: Runs) -> Answer:
    """The claim in words, with its verdict; without a claim, that there is none."""
    claim = runs.study.claim
    metric = runs.metric.label
    if not claim:
        title = "No claim was stated: all of this is exploratory"
        return Answer(title, "open", tuple(filter(None, [weak_teacher(runs)])), facts(runs), cautions(runs))
    judged = against_baselines(runs)
    pairs = [judged[claim.arm, arm] for arm in runs.baselines if arm != claim.arm]
    arm = runs.label(claim.arm)
    everyone = listed([judgement.comparison.b for judgement in pairs])
    words = {judgement.verdict.word for judgement in pairs}
    state: Literal["holds", "fails", "open"]
    if not runs.study.complete or not pairs:
        title, state = f"Not yet known whether {arm} is better than {everyone}", "open"
    elif words == {"better"}:
        title, state = f"{arm} is better than {everyone} in {metric}", "holds"
    elif "worse" in words:
        lost = [judgement.comparison.b for judgement in pairs if judgement.verdict.word == "worse"]
        title, state = f"{arm} is worse than {listed(lost)} in {metric}", "fails"
    elif "equivalent" in words:
        same = [judgement for judgement in pairs if judgement.verdict.word == "equivalent"]
        names = [judgement.comparison.b for judgement in same]
        title, state = f"{arm} is no better than {listed(names, 'or')} in {metric}", "fails"
    else:
        unclear = [judgement.comparison.b for judgement in pairs if judgement.verdict.word != "better"]
        title, state = f"Undecided: {arm} is not shown to be better than {listed(unclear, 'or')} in {metric}", "open"
    sentences = [" ".join(_sentence(runs, arm, judgement) for judgement in pairs)]
    # Whether the modality helps takes controls, which a table of scores does not have.
    if runs.study.complete and not runs.study.imported:
        sentences += [helps(runs), costs_and_reach(runs)]
    if not runs.stated_before:
        title, state = f"Set after the test results were seen, exploratory: {title}", "open"
        sentences.insert(0, afterwards(runs))
    return Answer(title, state, tuple(filter(None, [*sentences, weak_teacher(runs)])), facts(runs), cautions(runs))


def afterwards(runs: Runs) -> str:
    """Of a claim that was set after the test results were seen: why, and what was claimed and found first."""
    history = runs.history
    first = f"First shown, {date(history.first.when)}: {claim_in_words(history.first.stated)}" if history.first else ""
    found = f" ({result_in_words(history.first)})" if history.first and history.first.outcomes else ""
    return f"{history.afterwards[:1].upper()}{history.afterwards[1:]}. {first}{found}."


def helps(runs: Runs) -> str:
    """Whether the auxiliary modality helps: only where the claim beats both students that never met it."""
    claim = runs.study.claim
    if claim is None:
        return ""
    name = listed(runs.study.auxiliary) or "auxiliary"
    alone = [arm for arm in runs.baselines if runs.study.arms[arm].method == "student_only"]
    if not alone:
        return f"Whether the auxiliary modality ({name}) helps was not asked: the claim names no student trained alone."
    unbeaten = [arm for arm in alone if not beats(runs, claim.arm, arm)]
    if unbeaten:
        students = listed([runs.label(arm) for arm in unbeaten])
        others = [arm for arm in runs.arms if arm != claim.arm and all(beats(runs, arm, one) for one in unbeaten)]
        said = f"That the auxiliary modality ({name}) helps is not shown by the claim: {runs.label(claim.arm)} is not "
        said += f"shown to beat {students}."
        if others:
            do = "does" if len(others) == 1 else "do"
            said += f" {listed([runs.label(arm) for arm in others])} {do}, which was not claimed beforehand."
        return said
    verdicts = {control: verdict for control, _, _, verdict in judged_controls(runs)}
    if "student_only_teacher" not in verdicts:
        return (
            f"Whether the auxiliary modality ({name}) helps, or any soft teacher would, was not asked: "
            "it takes the control student_only_teacher."
        )
    if verdicts["student_only_teacher"].word == "better":
        return (
            f"The auxiliary modality ({name}) helps: {runs.label(claim.arm)} also beats itself with a teacher that "
            "sees only the student's modalities."
        )
    return (
        f"That the auxiliary modality ({name}) helps is not shown: a teacher that sees only the student's modalities "
        "may do as well."
    )


def weak_teacher(runs: Runs) -> str:
    """That the claim's teacher, without a claim any, does worse than a student trained alone; "" where none does.

    Of a teacher of several models, each that does.
    """
    claim = runs.study.claim
    students = [arm for arm in (*runs.baselines, *runs.arms) if runs.study.arms[arm].method == "student_only"]
    if not runs.study.complete or not students:
        return ""
    alone = float(runs.test().reindex(list(confirmed(runs, students[0]).finished.values())).mean())
    for arm in [claim.arm] if claim else runs.arms:
        roles = runs.select("confirm", arm)
        roles = roles[roles["state"] == "complete"]
        means = {name: float(scores.mean()) for name, scores in teachers.scores(runs, roles).items()}
        weak = {
            name: _printed(runs, mean)
            for name, mean in means.items()
            # As printed: "worse, 90.0 against 90.0" says nothing.
            if (mean < alone if runs.metric.maximize else mean > alone)
            and _printed(runs, mean) != _printed(runs, alone)
        }
        if weak:
            whose = f"of {runs.label(arm)}" if len(means) == 1 else f"of {runs.label(arm)} ({listed(list(weak))})"
            who = f"the teachers {whose} do" if len(weak) > 1 else f"the teacher {whose} does"
            scores = f"{listed(list(weak.values()))} against {_printed(runs, alone)} {runs.metric.unit}".rstrip()
            return f"On average {who} worse than {runs.label(students[0])}: {scores}."
    return ""


def costs_and_reach(runs: Runs) -> str:
    """What this study was likely to see, and what the claim's arm cost beside its cheapest rival with a teacher."""
    claim = runs.study.claim
    if claim is None:
        return ""
    judged = [one.comparison for one in against_baselines(runs).values() if one.claimed]
    seen = [one.crossed.detectable(ALPHA / len(judged)) for one in judged if one.crossed and one.interval]
    sentences = []
    if known := [value for value in seen if value > 0]:
        words = f"{amount(max(known) * runs.metric.scale)} {unit(runs.metric.unit)}"
        sentences.append(f"This study was likely to see a difference of {words} or more.")
    seconds = {arm: costs.spent(runs, arm).get("device-seconds", 0) for arm in (claim.arm, *runs.baselines)}
    mine = seconds.pop(claim.arm)
    rivals = {arm: spent for arm, spent in seconds.items() if isinstance(spent, float) and spent > 0}
    if rivals and isinstance(mine, float) and mine > 0:
        times = ", ".join(f"{amount(mine / spent)} times that of {runs.label(arm)}" for arm, spent in rivals.items())
        sentences.append(f"Training of {runs.label(claim.arm)}, its search and teachers included, took {times}.")
    return " ".join(sentences)


def _printed(runs: Runs, score: float) -> str:
    return f"{runs.printed(score):.{runs.digits}f}"


def facts(runs: Runs) -> tuple[str, ...]:
    """What the answer rests on, in a line."""
    study = runs.study
    test = f"{study.data.test:,} test samples"
    if runs.grouped:
        test += f" in {study.data.test_groups} groups"
    if study.imported:
        known = [f"{study.budget.seeds} seeds", *([test] if study.data.test else [])]
        return (*known, "made elsewhere: budget and selection not verified")
    return (
        f"{study.budget.seeds} seeds",
        *([f"{study.data.folds} folds"] if study.data.folds > 1 else []),
        *([runs.one_fold] if runs.one_fold else []),
        test,
        f"{study.budget.search_trials} search trials an arm",
        f"{study.budget.repeats} repeats of the search" if study.budget.repeats > 1 else "at the settings found",
        *([f"look {runs.look}"] if runs.look > 1 else []),
    )


def drawing(runs: Runs) -> Drawing | None:
    value = f"difference in {runs.metric.label} ({unit(runs.metric.unit)})"
    rows = [
        {
            "comparison": f"{judgement.comparison.a} − {judgement.comparison.b}",
            "arm": runs.label(arm),
            "part of": "claim" if judgement.claimed else "exploratory",
            **spread(value, shown, runs.study.equivalent),
        }
        for (arm, _), judgement in sorted(against_baselines(runs).items(), key=lambda item: not item[1].claimed)
        if (shown := difference(judgement.comparison.interval, runs.metric.scale))
    ]
    return Drawing(pd.DataFrame(rows), value, of=("comparison",)) if rows else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Difference from each baseline with its 95% interval, unadjusted. Filled:
    the claim; open: exploratory. The grey band, where there is one, is the region of equivalence."""
    marks = figures.marks(runs)
    return figures.forest(
        drawing,
        colors=[marks[arm].color for arm in drawing.numbers["arm"]],
        solid=[part == "claim" for part in drawing.numbers["part of"]],
        title=f"{drawing.value}<br>{'right' if runs.metric.maximize else 'left'} is better",
        digits=runs.digits,
        margin=runs.study.equivalent,
    )


def _sentence(runs: Runs, arm: str, judgement: Judged) -> str:
    """One comparison: the verdict, the difference and, where it is open, what would decide it."""
    shown = difference(judgement.comparison.interval, runs.metric.scale)
    number = f" ({text(shown, runs.digits)} {unit(runs.metric.unit)})" if shown else ""
    b = judgement.comparison.b
    detail = f": {judgement.verdict.detail}" if judgement.verdict.detail else ""
    match judgement.verdict.word:
        case "better" | "worse":
            return f"{arm} is {judgement.verdict.word} than {b}{number}."
        case "equivalent":
            return f"{arm} and {b} are {judgement.verdict}{number}."
        case "undecided":
            return f"Against {b} it is undecided{number}{detail}."
    return f"Against {b} there is no verdict{number}{detail}."
