"""The NeurIPS paper checklist, answered as far as a study's own runs know; the rest is left to the authors."""

from __future__ import annotations

import shlex
from typing import Literal, NamedTuple

from kdsweep.report.facts import costs, machines
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import markdown
from kdsweep.report.sections import headline
from kdsweep.report.statistics import multiplicity
from kdsweep.report.statistics.verdicts import ALPHA, against_baselines, unit

UNKNOWN = "Not known to the run."
# Where in the report an answer rests: sections of the page, by name, and files beside it.
Places = tuple[str, ...]


class Item(NamedTuple):
    """One question of the checklist.

    Attributes:
        answer: "TODO" where the authors have to say.
        where: what of the report it rests on: sections by their modules' names, and files.
    """

    title: str
    question: str
    answer: Literal["Yes", "No", "TODO"]
    justification: str
    where: Places = ()


def neurips(runs: Runs) -> str:
    """The checklist as Markdown."""
    lines = [
        f"# NeurIPS paper checklist: {markdown.escape(runs.study.name)}",
        "",
        "Filled in from the runs of this study. TODO: the authors' to answer. An answer is about these experiments, "
        "not about what else the paper says.",
        *([] if runs.study.complete else ["", "The study is unfinished: fill it in again when it is complete."]),
    ]
    for number, item in enumerate(items(runs), start=1):
        places = ", ".join(_place(name) for name in item.where)
        lines += [
            "",
            f"## {number}. {item.title}",
            "",
            f"Question: {item.question}",
            "",
            f"Answer: [{item.answer}]",
            "",
            f"Justification: {markdown.escape(item.justification)}",
            *(["", f"In the report: {places}"] if places else []),
        ]
    return "\n".join(lines) + "\n"


def items(runs: Runs) -> list[Item]:
    """Every question, in the checklist's order."""
    return [
        _claims(runs),
        _limitations(runs),
        Item("Theory assumptions and proofs", "Are the assumptions and a proof of each result given?", "TODO", UNKNOWN),
        _reproducibility(runs),
        _access(runs),
        _settings(runs),
        _significance(runs),
        _compute(runs),
        Item("Code of ethics", "Does the research conform with the NeurIPS Code of Ethics?", "TODO", UNKNOWN),
        Item("Broader impacts", "Are positive and negative societal impacts discussed?", "TODO", UNKNOWN),
        Item("Safeguards", "Are there safeguards for a release with a high risk of misuse?", "TODO", UNKNOWN),
        _licences(runs),
        Item("New assets", "Are new assets well documented?", "TODO", UNKNOWN),
        Item("Crowdsourcing and human subjects", "Are instructions and compensation given?", "TODO", UNKNOWN),
        Item("Institutional review board", "Are risks to participants and approvals described?", "TODO", UNKNOWN),
        Item("Use of large language models", "Is it described where it is part of the method?", "TODO", UNKNOWN),
    ]


def _claims(runs: Runs) -> Item:
    question = "Do the abstract and introduction reflect the paper's contributions and scope?"
    said = headline.answer(runs)
    if not runs.study.claim:
        words = f"No claim was stated beforehand: all comparisons are exploratory. {UNKNOWN}"
        return Item("Claims", question, "TODO", words, ("headline", "protocol"))
    beforehand = (
        "The claim was stated before the test results were seen"
        if runs.stated_before
        else "The claim was set after the test results were seen"
    )
    looks = f", which were looked at {runs.look} times" if runs.look > 1 else ""
    words = f"{said.title}. {beforehand}{looks}. What the abstract says beyond this, the runs do not show."
    return Item("Claims", question, "TODO", words, ("headline", "arms", "protocol"))


def _limitations(runs: Runs) -> Item:
    data = runs.study.data
    units = f"{data.test:,} test samples" + (f" in {data.test_groups} groups" if runs.grouped else "")
    known = [f"one dataset, {units}", f"{runs.study.budget.seeds} seeds"]
    if runs.study.budget.repeats == 1 and not runs.study.imported:
        known.append("each search run once: what is said holds at the settings found")
    undecided = [
        f"{judged.comparison.a} against {judged.comparison.b}"
        for judged in against_baselines(runs).values()
        if judged.verdict.word in ("undecided", "no verdict")
    ]
    if undecided:
        known.append(f"without a decision: {', '.join(undecided)}")
    cautions = " ".join(headline.answer(runs).cautions)
    words = f"The authors' to discuss. The runs know of: {'; '.join(known)}. {cautions}".rstrip()
    return Item("Limitations", "Are the limitations of the work discussed?", "TODO", words, ("headline", "certainty"))


def _reproducibility(runs: Runs) -> Item:
    question = "Is all information disclosed that is needed to reproduce the main results?"
    title = "Experimental result reproducibility"
    if runs.study.imported:
        return Item(title, question, "TODO", f"The runs were made elsewhere. {UNKNOWN}")
    words = (
        "The study file gives every run again; each run of a table has a command that trains it again from its "
        f"settings, seed and the data's fingerprint ({runs.study.data.fingerprint[:12] or 'not known'}). Versions of "
        "all libraries are listed. Identical bits are promised on one type of CPU."
    )
    return Item(title, question, "Yes", words, ("study_file", "replay", "provenance", "runs.parquet"))


def _access(runs: Runs) -> Item:
    title, question = "Open access to data and code", "Are data and code open, with instructions to reproduce?"
    if runs.study.imported:
        return Item(title, question, "TODO", f"The runs were made elsewhere. {UNKNOWN}")
    arm = runs.study.claim.arm if runs.study.claim else next(iter(runs.arms), "ARM")
    source = f"The data's source: {runs.study.source}. " if runs.study.source else "The data's card names no source. "
    path = shlex.quote(runs.study.path or "study.yaml")
    words = (
        f"{source}A row goes into one file, which a reviewer checks by training it again: python -m kdsweep export row "
        f"{path} {shlex.quote(arm)} --out {shlex.quote(arm)}.zip, then python -m kdsweep replay --row "
        f"{shlex.quote(arm)}.zip. Whether these are published is not known to the run."
    )
    return Item(title, question, "TODO", words, ("study_file", "replay"))


def _settings(runs: Runs) -> Item:
    title, question = (
        "Experimental setting",
        "Are data splits, hyperparameters, how they were chosen and the optimiser given?",
    )
    if runs.study.imported:
        return Item(title, question, "TODO", f"Budget and selection of the runs are not verified. {UNKNOWN}")
    data, budget = runs.study.data, runs.study.budget
    split = f"{data.folds} folds" if data.folds > 1 else "one split"
    train = ", ".join(
        f"{name} {value}" for name, value in runs.study.train.items() if isinstance(value, str | int | float)
    )
    words = (
        f"{split}, {data.train:,} training and {data.test:,} test samples. Every method was searched with "
        f"{budget.search_trials} trials on validation, ranges and priors are listed with the points chosen; test was "
        f"read at {runs.selection}, with {budget.seeds} seeds. Training: {train or 'in the study file'}."
    )
    return Item(title, question, "Yes", words, ("settings", "methods_text", "protocol", "study_file"))


def _significance(runs: Runs) -> Item:
    title, question = "Statistical significance", "Are error bars reported, and what they are?"
    judged = list(against_baselines(runs).values())
    shown = [one.comparison for one in judged if one.comparison.interval]
    if not shown:
        words = "No comparison has an interval: too few runs, or the study is unfinished."
        return Item(title, question, "No", words, ("certainty",))
    over, level = shown[0].over, multiplicity.level(runs.look, ALPHA)
    how = (
        "Student intervals over fold means, their variance corrected for overlapping training sets"
        if runs.study.data.folds > 1
        else f"95% t intervals of paired differences over {over}, with Satterthwaite's degrees of freedom"
        if "×" in over
        else f"95% t intervals of paired differences over {over}"
    )
    margin = runs.study.equivalent
    words = (
        f"Error bars of differences are {how}, n = {min(comparison.n for comparison in shown)}, unadjusted. SD beside "
        "a mean is the standard deviation over its runs, not a standard error. p values are adjusted by Holm within "
        f"the claim and within the exploratory rest, and tested at {level:g}. "
        + ("No margin of equivalence was stated." if margin is None else "")
        + (f"Equivalence is tested within ±{margin:g} {unit(runs.metric.unit)}." if margin is not None else "")
    )
    return Item(title, question, "Yes", words, ("arms", "certainty", "methods_text"))


def _compute(runs: Runs) -> Item:
    title, question = "Compute resources", "Are type of compute, memory and time of each and of all experiments given?"
    parts = costs.whole(runs)
    if not parts:
        return Item(title, question, "TODO", UNKNOWN)
    used = machines.described(runs.trials)
    kinds = used.groupby(["machine", "trained on"])["trial"].size().sort_values(ascending=False).index
    on = "; ".join(f"{machine or 'a machine that is not known'}, trained on {device}" for machine, device in kinds)
    trials, seconds = sum(part.trials for part in parts), sum(part.device_seconds for part in parts)
    failed = sum(part.ended["failed"] for part in parts)
    aside = sum(part.trials for part in parts if part.what == costs.ASIDE)
    each = "; ".join(f"{part.what} {_hours(part.device_seconds)}" for part in parts)
    words = (
        f"{on}. In all {trials:,} trials, {_hours(seconds)} of training, {failed} failed and {aside} set-aside trials "
        f"among them: {each}. Preliminary work outside this study is not known to the run."
    )
    return Item(title, question, "Yes", words, ("provenance", "timeline", "runs.parquet"))


def _licences(runs: Runs) -> Item:
    title, question = "Licences for existing assets", "Are creators credited, and licences named and respected?"
    methods = "Papers of all methods and statistics are in references.bib; kdsweep's licence is Apache-2.0."
    if not runs.study.licence:
        return Item(
            title, question, "TODO", f"The data's card names no licence. {methods}", ("papers", "references.bib")
        )
    source = f", from {runs.study.source}" if runs.study.source else ""
    words = f"Data: {runs.study.licence}{source}. {methods} Whether the terms were respected is the authors' to say."
    return Item(title, question, "Yes", words, ("papers", "references.bib"))


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} device-hours" if seconds >= 3600 else f"{seconds:.0f} device-seconds"


def _place(name: str) -> str:
    """A file beside the page, or a section of it."""
    return f"[{name}]({name})" if "." in name else f"[{name.replace('_', ' ')}](index.html#{name.replace('_', '-')})"
