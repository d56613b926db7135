"""A report as one value, for scripts, CI and agents: what the page says, in names and numbers.

Its JSON Schema lies in kdsweep/schemas. Scores and differences are in the metric's printed unit, intervals are 95% and
unadjusted, p values adjusted for their family. A field that goes, or says something else, raises the number of FORMAT.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

import kdsweep
from kdsweep.report.facts import progress
from kdsweep.report.facts.ledger import Entry
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.page import Headline, kind
from kdsweep.report.sections import ranks
from kdsweep.report.statistics import multiplicity
from kdsweep.report.statistics.ablated import judged_rows
from kdsweep.report.statistics.compare import Comparison, Side, confirmed, scored
from kdsweep.report.statistics.controls import judged_controls
from kdsweep.report.statistics.over_datasets import over_datasets
from kdsweep.report.statistics.verdicts import ALPHA, Verdict, Word, against_baselines, unit
from kdsweep.values.control import CONTROLS, NONE

FORMAT = "kdsweep.report/1"
Answered = Literal["holds", "does not hold", "undecided", "incomplete"]


class Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MetricRead(Value):
    """What is compared: `unit` is that of scores, `difference` that of differences ("%" and "points")."""

    name: str
    label: str
    unit: str
    difference: str
    higher_is_better: bool
    epoch: str


class Stated(Value):
    """The study's claim.

    Attributes:
        stated_before: whether it was set before any of these test results was shown; `afterwards` says why not.
        registered: when it was registered, before any of these test results was shown; null where it was not.
    """

    arm: str
    against: list[str]
    digest: str
    stated_before: bool
    afterwards: str
    registered: str | None


class ArmRead(Value):
    """An arm's confirm runs; `mean` and `sd` are over seeds."""

    name: str
    label: str
    method: str
    teacher: str
    search_trials: int
    n: int
    failed: int
    unfinished: int
    mean: float | None
    sd: float | None


class Difference(Value):
    """One side less another, with its verdict.

    Attributes:
        over: what the interval is about: "seeds × samples", "folds", ...
        n: shared seeds, repeats or folds.
        within_margin: whether a better or worse one lies within what the study calls equal.
        detail: what would decide an open one, or what stands in the way.
        advised: the fewest seeds in all that would decide it; null where it is decided, or none would.
    """

    value: float | None
    low: float | None
    high: float | None
    over: str
    n: int
    p: float | None
    verdict: Word
    within_margin: bool
    detail: str
    advised: int | None


class Compared(Value):
    """An arm less a baseline; `claimed` where it is part of a claim that was stated before."""

    arm: str
    against: str
    claimed: bool
    difference: Difference


class Ablated(Value):
    """A row of the ablation less the full method."""

    row: str
    retuned: bool
    difference: Difference


class Controlled(Value):
    """The method less a control."""

    control: str
    question: str
    difference: Difference


class Shown(Value):
    """A showing of the same test rows: `when` in UTC; `whole` where all confirm runs were there."""

    when: str
    study: str
    arm: str
    against: list[str]
    metric: str
    margin: float | None
    n: int
    whole: bool
    verdicts: list[str]


class Looks(Value):
    """Which showing of these test rows this is, the level that it is tested at, and all showings so far.

    Attributes:
        counted: whether this one is in the ledger: not where the storage cannot be written to.
    """

    look: int
    level: float
    counted: bool
    showings: list[Shown]


class Waiting(Value):
    stage: str
    done: int
    expected: int


class OnDataset(Value):
    """The claim's arm less one baseline on one dataset, by the study that stands for it."""

    study: str
    against: str
    difference: Difference


class Spread(Value):
    """Of the differences from one baseline over datasets: Cochran's Q with its p, I² as a share, and the mean for a new
    dataset with its 95% interval, null for fewer than three."""

    against: str
    mean: float | None
    low: float | None
    high: float | None
    q: float
    p: float
    i2: float


class Ranked(Value):
    arm: str
    average_rank: float


class OverDatasets(Value):
    """A claim over datasets; `exploratory_because` is empty where each study registered it before its results."""

    arm: str
    against: list[str]
    exploratory_because: list[str]
    results: list[OnDataset]
    heterogeneity: list[Spread]


class Report(Value):
    """What `kdsweep report --json` prints.

    Attributes:
        answer: of the claim; "undecided" also where nothing was claimed before the results were seen.
        warnings: why the numbers may not mean what they seem to.
        margin: half the width of the region of equivalence.
        waiting: stages that are not finished.
    """

    format: Literal["kdsweep.report/1"]
    kdsweep: str
    kind: Literal["study", "imported", "compared"]
    study: str
    file: str
    storage: str
    page: str
    complete: bool
    waiting: list[Waiting]
    answer: Answered
    title: str
    sentences: list[str]
    facts: list[str]
    warnings: list[str]
    metric: MetricRead
    margin: float | None
    claim: Stated | None
    arms: list[ArmRead]
    comparisons: list[Compared]
    ablation: list[Ablated]
    controls: list[Controlled]
    looks: Looks
    over_datasets: OverDatasets | None
    ranks: list[Ranked]


def summary(runs: Runs, headline: Headline, *, counted: bool = True) -> Report:
    """What a page that was built says.

    Args:
        counted: whether the ledger knows of it.
    """
    study, metric, answer = runs.study, runs.metric, headline.answer
    of_a_study = kind(runs) != "compared"
    return Report(
        format=FORMAT,
        kdsweep=kdsweep.__version__,
        kind=kind(runs),
        study=study.name,
        file=study.path,
        storage=study.storage,
        page=str(headline.path),
        complete=study.complete,
        waiting=[
            Waiting(stage=stage.name, done=stage.done, expected=stage.expected)
            for stage in (progress.stages(runs).values() if of_a_study and not study.complete else ())
            if stage.done < stage.expected
        ],
        answer=_answered(runs, headline),
        title=answer.title,
        sentences=list(answer.sentences),
        facts=list(answer.facts),
        warnings=list(answer.cautions),
        metric=MetricRead(
            name=study.metric,
            label=metric.label,
            unit=metric.unit,
            difference=unit(metric.unit),
            higher_is_better=metric.maximize,
            epoch=study.select,
        ),
        margin=study.equivalent,
        claim=_stated(runs),
        arms=[_arm(runs, name) for name in runs.arms] if of_a_study else [],
        comparisons=_comparisons(runs) if of_a_study else [],
        ablation=[
            Ablated(row=row, retuned=retuned, difference=_difference(runs, comparison, verdict))
            for row, retuned, _, comparison, verdict in (judged_rows(runs) if of_a_study else [])
        ],
        controls=[
            Controlled(
                control=control,
                question=CONTROLS.get(control, NONE).question,
                difference=_difference(runs, comparison, verdict),
            )
            for control, _, comparison, verdict in (judged_controls(runs) if of_a_study else [])
        ],
        looks=Looks(
            look=runs.look,
            level=multiplicity.level(runs.look, ALPHA),
            counted=counted,
            showings=[_shown(entry) for entry in runs.history.showings],
        ),
        over_datasets=None if of_a_study else _over_datasets(runs),
        ranks=[] if of_a_study else _ranks(runs),
    )


def _answered(runs: Runs, headline: Headline) -> Answered:
    if not runs.study.complete:
        return "incomplete"
    answers: dict[str, Answered] = {"holds": "holds", "fails": "does not hold", "open": "undecided"}
    return answers[headline.answer.state]


def _stated(runs: Runs) -> Stated | None:
    claim, history = runs.study.claim, runs.history
    if claim is None:
        return None
    return Stated(
        arm=claim.arm,
        against=list(claim.against),
        digest=history.now.stated.digest if history.now else "",
        stated_before=runs.stated_before,
        afterwards=history.afterwards,
        registered=history.registration.when if history.registration else None,
    )


def _arm(runs: Runs, name: str) -> ArmRead:
    side, arm = confirmed(runs, name), runs.study.arms[name]
    scores = _scores(runs, side)
    return ArmRead(
        name=name,
        label=arm.label,
        method=arm.method,
        teacher=arm.teacher,
        search_trials=side.budget,
        n=len(side.finished),
        failed=side.failed,
        unfinished=side.waiting,
        mean=_finite(math.fsum(scores) / len(scores)) if scores else None,
        sd=_finite(_deviation(scores)) if len(scores) > 1 else None,
    )


def _scores(runs: Runs, side: Side) -> list[float]:
    return [runs.printed(float(score)) for score in scored(runs, side)]


def _deviation(scores: Sequence[float]) -> float:
    mean = math.fsum(scores) / len(scores)
    return math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / (len(scores) - 1))


def _comparisons(runs: Runs) -> list[Compared]:
    return [
        Compared(
            arm=arm,
            against=baseline,
            claimed=judged.claimed,
            difference=_difference(runs, judged.comparison, judged.verdict),
        )
        for (arm, baseline), judged in against_baselines(runs).items()
    ]


def _difference(runs: Runs, comparison: Comparison, verdict: Verdict) -> Difference:
    interval, scale = comparison.interval, runs.metric.scale
    low, high = interval.bounds() if interval else (math.nan, math.nan)
    return Difference(
        value=_finite(scale * interval.mean) if interval else None,
        low=_finite(scale * low),
        high=_finite(scale * high),
        over=comparison.over,
        n=comparison.n,
        p=None if verdict.p is None else _finite(verdict.p),
        verdict=verdict.word,
        within_margin=verdict.within,
        detail=verdict.detail,
        advised=verdict.advised,
    )


def _over_datasets(runs: Runs) -> OverDatasets | None:
    judged, scale = over_datasets(runs), runs.metric.scale
    if judged is None:
        return None
    spreads = []
    for baseline, found in judged.heterogeneity.items():
        if found is None:
            continue
        low, high = found.mean.bounds() if found.mean else (math.nan, math.nan)
        spreads.append(
            Spread(
                against=baseline,
                mean=_finite(scale * found.mean.mean) if found.mean else None,
                low=_finite(scale * low),
                high=_finite(scale * high),
                q=found.q,
                p=found.p,
                i2=found.i2,
            )
        )
    return OverDatasets(
        arm=judged.claim.arm,
        against=list(judged.claim.against),
        exploratory_because=list(judged.reasons),
        results=[
            OnDataset(
                study=result.study,
                against=result.against,
                difference=_difference(runs, result.comparison, result.verdict),
            )
            for result in judged.results
        ],
        heterogeneity=spreads,
    )


def _ranks(runs: Runs) -> list[Ranked]:
    if not ranks.applies(runs):
        return []
    rows = [row for table in ranks.table(runs) for row in table.rows]
    return [Ranked(arm=str(row["arm"]), average_rank=float(str(row["average rank"]))) for row in rows]


def _shown(entry: Entry) -> Shown:
    stated = entry.stated
    return Shown(
        when=entry.when,
        study=entry.study,
        arm=stated.arm,
        against=list(stated.against),
        metric=stated.metric,
        margin=stated.margin,
        n=entry.n,
        whole=entry.whole,
        verdicts=[f"{outcome.arm} against {outcome.against}: {outcome.verdict}" for outcome in entry.outcomes],
    )


def _finite(value: float) -> float | None:
    """JSON has no word for what is not a number."""
    return value if math.isfinite(value) else None
