"""The methods section of a paper, in words that can be taken over: what was run and how it was judged. The numbers are
this study's; keys in brackets are those of references.bib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdsweep.report.facts import splits
from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.words import listed
from kdsweep.report.render import bibtex
from kdsweep.report.render.bibtex import Cited
from kdsweep.report.sections import papers
from kdsweep.report.statistics import multiplicity
from kdsweep.report.statistics.verdicts import ALPHA, unit

TITLE = "Methods paragraph"
CHAPTER = "paper"
ORDER = 67
NOTHING = "nothing"  # where a list of names is empty
OPTIMISERS = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD"}


def listing(runs: Runs) -> str:
    return "\n\n".join(filter(None, [_compared(runs), _trained(runs), _protocol(runs), _judged(runs), _ran(runs)]))


def _compared(runs: Runs) -> str:
    study = runs.study
    arms = listed([f"{runs.label(arm)}{_cite(runs, arm)}" for arm in runs.arms]) or NOTHING
    auxiliary = listed(study.auxiliary) or NOTHING
    words = (
        f"We compare {arms}. At test time the student sees {listed(study.student) or NOTHING}; "
        f"{auxiliary} {'is' if len(study.auxiliary) == 1 else 'are'} available in training only."
    )
    return f"{words} {splits.sentence(runs)}{_inputs(runs)}"


def _inputs(runs: Runs) -> str:
    if not runs.study.data.standardised:
        return ""
    return " Inputs were standardised by the mean and deviation of the training part."


def _trained(runs: Runs) -> str:
    """Networks and recipe; of a number that is searched, that it is."""
    study = runs.study
    networks = [
        f"the {role}'s are {listed([f'{_network(chosen)} ({part})' for part, chosen in parts.items()]) or NOTHING}"
        for role, parts in study.networks.items()
    ]
    said = f"Networks: {'; '.join(networks)}." if networks else ""
    if not study.train:
        return said
    searched = {name for arm in runs.arms for name in study.arms[arm].space}
    recipe = {name: "searched" if f"train.{name}" in searched else f"{v}" for name, v in study.train.items()}
    sgd = f", momentum {recipe['momentum']}" if recipe.get("optimizer") == "sgd" else ""
    parts = [f"learning rate {recipe['lr']}", f"weight decay {recipe['weight_decay']}"]
    parts += [f"warm-up {recipe['warmup']} of training", f"largest gradient norm {recipe['clip']}"]
    return (
        f"{said} All were trained for {recipe['epochs']} epochs in batches of {recipe['batch_size']} with "
        f"{OPTIMISERS.get(recipe['optimizer'], recipe['optimizer'])}{sgd} and a {recipe['schedule']} schedule "
        f"({', '.join(parts)})."
    ).strip()


def _network(chosen: Mapping[str, Any]) -> str:
    """A class and its arguments: "mlp (hidden 64, embedding 32)"."""
    ((name, arguments),) = chosen.items()
    return f"{name} {' '.join(f'{key} {_number(value)},' for key, value in arguments.items()).rstrip(',')}".strip()


def _number(value: object) -> str:
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _protocol(runs: Runs) -> str:
    study = runs.study
    repeats = (
        f" The whole protocol, searches included, was repeated {study.budget.repeats} times."
        if study.budget.repeats > 1
        else " Each search was run once, so that statements hold at the settings found."
    )
    folds = f" All of it ran inside each of {study.data.folds} folds." if study.data.folds > 1 else ""
    if runs.one_fold:
        folds = f" Models were trained inside each of {study.data.folds} folds, with {runs.one_fold}."
    return (
        f"Every method had the same tuning budget of {study.budget.search_trials} search trials{_first(runs)}, "
        "chosen by validation alone; the best points were run again with fresh seeds, and these chose "
        f"among them. The chosen point was trained with seeds 1 to {study.budget.seeds}, paired between methods (equal "
        f"batch order, and equal initial weights where shapes agree), and tested once a run, "
        f"at {runs.selection}.{repeats}{folds}"
    )


def _first(runs: Runs) -> str:
    """Of methods that have settings of their own: an arm whose space is the recipe's has no published ones."""
    own = [arm for arm in runs.arms if any(not name.startswith("train.") for name in runs.study.arms[arm].space)]
    if not own or not runs.study.budget.published_first:
        return ""
    return ", the published settings first" + (" where a method has any" if len(own) < len(runs.arms) else "")


def _judged(runs: Runs) -> str:
    study, metric = runs.study, runs.metric
    level = multiplicity.level(runs.look, ALPHA)
    rows = "repeats" if study.budget.repeats > 1 else "seeds"
    if study.data.folds > 1:
        interval = (
            "Intervals are 95% Student intervals over fold means, their variance corrected for overlapping training "
            f"sets {_key(papers.FOLDS)}."
        )
    else:
        units = "test groups" if runs.grouped else "test samples"
        pseudo = "" if metric.mean else f", through jackknife pseudo-values {_key(papers.JACKKNIFE)}"
        interval = (
            f"We report differences in test {metric.label} with 95% intervals from the crossed two-way table of {rows} "
            f"and {units}{pseudo}, with Satterthwaite's degrees of freedom {_key(papers.INTERVAL)}: they "
            "are about a new seed and a new sample."
        )
    words = f"{interval} p values are adjusted within each family of comparisons {_key(papers.FAMILY)}"
    words += f" and tested at {level:g}"
    words += f" (look {runs.look} at these test rows)." if runs.look > 1 else "."
    if study.equivalent is not None:
        beforehand = "" if runs.history.afterwards else ", set beforehand,"
        words += (
            f" Equivalence within ±{study.equivalent:g} {unit(metric.unit)}{beforehand} is tested by two "
            f"one-sided tests {_key(papers.EQUIVALENCE)}."
        )
    if study.claim:
        against = listed([runs.label(arm) for arm in study.claim.against]) or NOTHING
        claimed = f"that {runs.label(study.claim.arm)} is better than {against}"
        words += (
            f" The study's claim, stated beforehand, was {claimed}; every other comparison is exploratory."
            if runs.stated_before
            else f" The claim, {claimed}, was set after the test results were seen: every comparison is exploratory."
        )
    else:
        words += " No claim was stated beforehand: every comparison is exploratory."
    return words


def _ran(runs: Runs) -> str:
    used = runs.trials[runs.trials["trial"].isin(set(runs.roles["trial"]))]
    hours = float(used["seconds"].sum()) / 3600 if len(used) else 0.0
    devices = listed(sorted(set(used["device"].dropna().astype(str)))) or NOTHING if len(used) else "no device"
    failed = int((runs.roles.drop_duplicates("trial")["state"] == "failed").sum()) if len(runs.roles) else 0
    versions = listed(sorted(set(used["version"].dropna().astype(str)))) or NOTHING if len(used) else ""
    return (
        f"In all, {len(used):,} trials took {hours:.1f} device-hours ({devices}); {failed or 'none'} failed. "
        f"Experiments and statistics: kdsweep {versions}."
    )


def _cite(runs: Runs, arm: str) -> str:
    """Papers of the terms that this arm has and the student alone has not."""
    trials = runs.select("confirm", arm)
    if not len(trials):
        return ""
    cited = papers.of(trials["papers"])
    keys = dict.fromkeys(map(bibtex.key, cited))
    return f" [{', '.join(keys)}]" if keys else ""


def _key(paper: Cited) -> str:
    return f"[{bibtex.key(paper)}]"
