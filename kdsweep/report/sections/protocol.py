"""How these numbers came about, so that they can be believed or doubted for the right reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kdsweep.report.facts import splits
from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.shown import claim_in_words, date, outcomes, result_in_words
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics import multiplicity
from kdsweep.report.statistics.verdicts import ALPHA, unit

TITLE = "Protocol"
CHAPTER = "belief"
ORDER = 65


def words(runs: Runs) -> list[str]:
    study = runs.study
    superseded = int((~runs.index["wanted"].astype(bool)).sum())
    paragraphs = [
        f"The student sees {_listed(study.student)} at test time; {_listed(study.auxiliary)} "
        f"{'is' if len(study.auxiliary) == 1 else 'are'} there in training only.",
        f"Every arm had {study.budget.search_trials} search trials, pruned and failed ones included. Settings were "
        "chosen on the validation split alone, and the best few points of each search were run again with fresh seeds "
        f"to choose among them. {_settings(runs)}",
        f"A run's score is that of {runs.selection}, in every table and figure. Test was read once a run, in the runs "
        f"of seeds 1 to {study.budget.seeds} that follow the search; equal seeds pair the arms: same batch order, and "
        "same initial weights where shapes agree.",
        _splits(runs),
        _interval(runs),
        *_known_when(runs),
    ]
    if study.equivalent is not None:
        paragraphs.append(
            f"Equivalent means that both one-sided tests put the difference within ±{study.equivalent:g} "
            f"{unit(runs.metric.unit)}, which the study file sets."
        )
    else:
        paragraphs.append("The study file sets no region of equivalence, so no verdict of equivalence is given.")
    if superseded:
        paragraphs.append(
            f"Superseded and not shown: {superseded} {'run' if superseded == 1 else 'runs'} that only an earlier "
            "version of the study file asked for."
        )
    return paragraphs


def _settings(runs: Runs) -> str:
    if runs.study.budget.repeats > 1:
        return (
            f"The whole protocol ran {runs.study.budget.repeats} times with seeds of its own; verdicts are about the "
            "method with its search."
        )
    return (
        "With one search an arm, verdicts hold at the settings found: another search might have found others "
        "(repeats: 2 or more would include that)."
    )


def _splits(runs: Runs) -> str:
    own = f"teachers; {runs.one_fold}" if runs.one_fold else "search and teachers"
    folds = f" Each fold has its own {own}." if runs.study.data.folds > 1 else ""
    return f"{splits.sentence(runs)} No training seed moves it.{folds}"


def _interval(runs: Runs) -> str:
    if runs.study.data.folds > 1:
        return (
            "Intervals are Student's t over the folds' means, their variance widened for the overlap of training sets "
            "(Nadeau and Bengio 2003)."
        )
    row = "repeats" if runs.study.budget.repeats > 1 else "seeds"
    column = "test groups" if runs.grouped else "test samples"
    return (
        f"Intervals come from the two-way table of {row} and {column}: both vary, so both are in the interval, with "
        "Satterthwaite's degrees of freedom. They are printed unadjusted; p values are adjusted within each table's "
        "family (Holm). Undecided is not the same as no effect."
    )


def table(runs: Runs) -> list[Table]:
    """Every showing of these test rows, old and new side by side, where there was more than one."""
    history = runs.history
    shown = {entry.name: entry for entry in (*history.showings, *filter(None, [history.now]))}
    if len(shown) < 2:
        return []
    said = history.now.name if history.now else ""
    rows: list[Row] = [
        {
            "shown": "now" if name == said else date(entry.when),
            "study": entry.study,
            "claim": claim_in_words(entry.stated),
            "seeds": entry.n,
            "result": result_in_words(replace(entry, outcomes=outcomes(runs)) if name == said else entry)
            if entry.whole
            else "unfinished",
        }
        for name, entry in shown.items()
    ]
    return [Table("ledger", "What was shown of these test rows so far, in this store.", rows, prose=("result",))]


def _known_when(runs: Runs) -> list[str]:
    """Which look this is, and whether the claim was set before the results were seen."""
    history = runs.history
    if history.now is None:
        return []
    level = f"{multiplicity.level(runs.look, ALPHA):g}"
    looked = (
        f"Results on these test rows are shown for the first time in this store, and tested at {level}."
        if runs.look == 1
        else f"This is look {runs.look} at these test rows in this store, and tested at {level}."
    )
    later = "Any change from now on (seeds, claim, margin, metric, arms) is a further look and is tested more strictly."
    return [f"{looked} {later}", *filter(None, [_claim(runs)])]


def _claim(runs: Runs) -> str:
    history = runs.history
    if runs.study.claim is None or history.now is None:
        return ""
    if history.afterwards:
        return f"The claim was set after the test results were seen, and is exploratory: {history.afterwards}."
    claim = f"The claim ({history.now.stated.digest[:12]})"
    if registration := history.registration:
        edited = "" if registration.source == history.now.source else " The study file was edited since."
        return f"{claim} was registered on {date(registration.when)}, before any of these results was shown.{edited}"
    return (
        f"{claim} was not registered beforehand: that it was set before the results were seen is known from this "
        "store's ledger alone."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(str(name) for name in names) or "nothing else"
