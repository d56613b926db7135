"""What a report has shown of the test part, as a line of the store's ledger."""

from __future__ import annotations

from dataclasses import replace

from kdsweep.report.facts import ledger
from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.verdicts import against_baselines, unit
from kdsweep.run.store import Results
from kdsweep.tasks.registry import METRICS


def record(results: Results, runs: Runs) -> None:
    """Remember that these test results were shown; what says nothing that was not shown before adds no line.

    Raises:
        OSError: the store cannot be written to.
    """
    now = runs.history.now
    if now is None:
        return
    # Of an unfinished confirm the first showing of its claim is enough: watching it is not looking a hundred times.
    if not now.whole and any(now.continues(entry) for entry in runs.history.showings):
        return
    results.add_to_ledger(now.name, ledger.to_json(replace(now, outcomes=outcomes(runs))))


def outcomes(runs: Runs) -> tuple[ledger.Outcome, ...]:
    """What was said of the claim's pairs."""
    claim, scale = runs.study.claim, runs.metric.scale
    if claim is None:
        return ()
    said = []
    for (arm, against), judged in against_baselines(runs).items():
        if arm != claim.arm or against not in claim.against:
            continue
        interval, word = judged.comparison.interval, str(judged.verdict)
        if interval is None:
            said.append(ledger.Outcome(arm, against, word))
            continue
        low, high = interval.bounds()
        said.append(ledger.Outcome(arm, against, word, scale * interval.mean, scale * low, scale * high))
    return tuple(said)


def claim_in_words(stated: ledger.Stated) -> str:
    """ "amid better than kd and student_only in accuracy, margin ±2 points"; by the arms' names in the study file."""
    metric = METRICS[stated.metric]
    *others, last = stated.against or ("",)
    against = f"{', '.join(others)} and {last}" if others else last
    claimed = f"{stated.arm} better than {against} in {metric.label}" if stated.arm else f"no claim, {metric.label}"
    margin = "no margin" if stated.margin is None else f"margin ±{stated.margin:g} {unit(metric.unit)}".rstrip()
    return f"{claimed}, {margin}"


def result_in_words(entry: ledger.Entry) -> str:
    """What was said: "kd: better, +1.2 [0.3, 2.1]"."""
    said = []
    for outcome in entry.outcomes:
        number = ""
        if outcome.difference is not None:
            number = f", {outcome.difference:+.3g} [{outcome.low:.3g}, {outcome.high:.3g}]"
        said.append(f"{outcome.against}: {outcome.verdict}{number}")
    return "; ".join(said) or "–"


def date(when: str) -> str:
    """Of a line of the ledger, as a reader sees it: "2026-01-31 10:05 UTC"."""
    return f"{when[:10]} {when[11:16]} UTC"
