"""The studies of this page, and what stands between them. Studies on the same data and the same test samples are
compared run by run; studies on different data by the ranks of the arms that all of them have."""

from __future__ import annotations

from typing import Literal

from kdsweep.report.facts.compared_studies import ComparedStudies, settings
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.section import Answer
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics.over_datasets import OverDatasets, over_datasets

TITLE = "What is compared"
CHAPTER = "front"
ORDER = 12
PAGES = ("compared",)


def answer(runs: Runs) -> Answer:
    """Whether a claim over the studies' datasets holds, where there is one; else which studies are compared."""
    assert runs.compared is not None
    names = [name for group in runs.compared.groups for name in group.names]
    count = len(runs.compared.groups)
    facts = (f"{len(names)} studies", f"{count} dataset{'s' if count > 1 else ''}")
    judged = over_datasets(runs)
    if judged is not None:
        return _claimed(runs, judged, facts)
    return Answer(
        f"{', '.join(names[:-1])} and {names[-1]} compared",
        "open",
        ("Nobody stated these comparisons beforehand: all of them are exploratory.",),
        facts,
    )


def _claimed(runs: Runs, judged: OverDatasets, facts: tuple[str, ...]) -> Answer:
    """It holds where the arm is better than each baseline on every dataset."""
    better = [result for result in judged.results if result.verdict.word == "better"]
    lost = [result for result in judged.results if result.verdict.word in ("worse", "equivalent")]
    arm, metric = judged.results[0].comparison.a, runs.metric.label
    everyone = " and ".join(dict.fromkeys(result.comparison.b for result in judged.results))
    state: Literal["holds", "fails", "open"]
    if not runs.study.complete:
        title, state = f"Not yet known whether {arm} is better than {everyone} on every dataset", "open"
    elif len(better) == len(judged.results):
        title, state = f"{arm} is better than {everyone} in {metric} on every dataset", "holds"
    elif lost:
        first = lost[0]
        title = f"The claim does not hold: on {first.study} {arm} is {first.verdict}, against {first.comparison.b}"
        state = "fails"
    else:
        title, state = f"Undecided: {arm} is not shown to be better than {everyone} on every dataset", "open"
    sentences = [f"Better in {len(better)} of {len(judged.results)} comparisons, all of them one family."]
    if judged.reasons:
        title, state = f"Exploratory: {title}", "open"
        sentences.append(f"It is no confirmation: {'; '.join(judged.reasons)}.")
    else:
        sentences.append("Each study registered this claim before its test results were shown.")
    sentences += [
        f"Over datasets, against {baseline}: I² {100 * found.i2:.0f}% (Q {found.q:.2f}, p {found.p:.3f})."
        for baseline, found in judged.heterogeneity.items()
        if found is not None
    ]
    return Answer(title, state, tuple(sentences), facts)


def table(runs: Runs) -> list[Table]:
    assert runs.compared is not None
    left_out = {refusal.b for refusal in runs.compared.refused}
    rows: list[Row] = [
        {
            "study": member.study.name,
            "data": member.study.data.fingerprint[:8],
            "student": ", ".join(member.study.student),
            "auxiliary": ", ".join(member.study.auxiliary),
            "metric": member.metric.label,
            "chosen by": member.selection,
            "search trials": member.study.budget.search_trials,
            "seeds": member.study.budget.seeds,
            "test samples": member.study.data.test,
            "state": "not compared"
            if member.study.name in left_out
            else "complete"
            if member.study.complete
            else "unfinished",
        }
        for member in runs.compared.studies
    ]
    refused: list[Row] = [{"study": b, "with": a, "why": why} for a, b, why in runs.compared.refused]
    notes = ("The same eight letters of data: the same content. Unfinished studies get no verdicts.",)
    return [
        Table("studies", "The studies.", rows, notes=notes),
        Table("refused", "Not comparable, and left out of everything below.", refused),
        Table(
            "differ",
            "What differs between studies on the same data; a difference in scores may come from it.",
            _differ(runs.compared),
        ),
    ]


def _differ(compared: ComparedStudies) -> list[Row]:
    rows: list[Row] = []
    by_name = {runs.study.name: settings(runs.study) for runs in compared.studies}
    for group in compared.groups:
        for key in dict.fromkeys(key for name in group.names for key in by_name[name]):
            values = {name: by_name[name].get(key, "–") for name in group.names}
            if len(set(values.values())) > 1:
                rows += [{"what": key, "study": name, "value": words} for name, words in values.items()]
    return rows
