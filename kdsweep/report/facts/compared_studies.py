"""Several studies beside each other: which of them speak of the same thing, and why the others do not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import pandas as pd

from kdsweep.report.facts.described import Described
from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.compare import confirmed
from kdsweep.values.study import Arm, Claim


class Rule(NamedTuple):
    """What has to be the same in two studies whose scores are put beside each other, and why."""

    what: str
    of: Callable[[Described], object]
    why: str


ALWAYS = (
    Rule("task", lambda study: study.task, "a score of one task says nothing about another"),
    Rule("metric", lambda study: study.metric, "scores of two metrics have no common scale"),
    Rule("select", lambda study: study.select, "a score of the last epoch is not one of the best"),
    Rule(
        "repeats",
        lambda study: study.budget.repeats,
        "a row of one is a seed, of the other a whole repeat of the search",
    ),
)
ON_THE_SAME_DATA = (
    Rule(
        "parts",
        lambda study: study.data.parts,
        "other rows are in their parts: they are not tested on the same samples",
    ),
    Rule(
        "groups",
        lambda study: study.data.grouping,
        "their test samples are grouped otherwise: an interval of one is not about the units of the other",
    ),
    Rule("student", lambda study: study.student, "their students see other modalities at test time"),
)


class Refusal(NamedTuple):
    """Two studies that are not put beside each other."""

    a: str
    b: str
    why: str


@dataclass(frozen=True, eq=False)
class Group:
    """Studies on the same data.

    Attributes:
        runs: all of them as one; arms carry the study's name where two would have the same.
        first: the one that stands for this dataset where each counts once.
    """

    names: tuple[str, ...]
    runs: Runs
    first: Runs

    @property
    def name(self) -> str:
        return " + ".join(self.names)


@dataclass(frozen=True, eq=False)
class ComparedStudies:
    """Studies, sorted by what they can be compared in.

    Attributes:
        groups: one for each dataset, in the order of the studies.
        refused: pairs that are not comparable.
        claim: what is to hold on every dataset; None where nothing is claimed.
    """

    studies: tuple[Runs, ...]
    groups: tuple[Group, ...]
    refused: tuple[Refusal, ...]
    claim: Claim | None = None


def sort(studies: Sequence[Runs], claim: Claim | None = None) -> ComparedStudies:
    """Group studies on the same data.

    Raises:
        ValueError: two have the same name, no two are comparable, or the claim is of arms that one lacks.
    """
    for arm in (claim.arm, *claim.against) if claim else ():
        if lacking := [runs.study.name for runs in studies if arm not in runs.arms]:
            raise ValueError(f"a claim over studies is of arms that all of them have, and {lacking[0]} has no {arm!r}")
    names = [runs.study.name for runs in studies]
    if len(set(names)) < len(names):
        raise ValueError(f"studies are told apart by their names, got {', '.join(names)}")
    refused, kept = [], list[Runs]()
    for runs in studies:
        against = [(other, why) for other in kept if (why := barrier(other, runs))]
        refused += [Refusal(other.study.name, runs.study.name, why) for other, why in against]
        if not against:
            kept.append(runs)
    if len(kept) < 2:
        raise ValueError(
            "nothing to compare:\n" + "\n".join(f"{refusal.a} and {refusal.b}: {refusal.why}" for refusal in refused)
        )
    by_data: dict[str, list[Runs]] = {}
    for runs in kept:
        by_data.setdefault(runs.study.data.fingerprint, []).append(runs)
    groups = tuple(Group(tuple(runs.study.name for runs in same), together(same), same[0]) for same in by_data.values())
    return ComparedStudies(tuple(studies), groups, tuple(refused), claim)


def barrier(a: Runs, b: Runs) -> str:
    """Why two studies are not comparable; "" where they are."""
    for what, of, why in ALWAYS:
        if of(a.study) != of(b.study):
            return f"{what} is {of(a.study)} in one and {of(b.study)} in the other: {why}"
    if a.study.data.fingerprint == b.study.data.fingerprint:
        return next((why for _, of, why in ON_THE_SAME_DATA if of(a.study) != of(b.study)), "")
    return ""


def settings(study: Described) -> dict[str, str]:
    """What may differ between studies that are compared, and a reader has to know: "train.epochs": "8"."""
    words = {"auxiliary": json.dumps(study.auxiliary)}
    words |= {f"data.{name}": f"{getattr(study.data, name):g}" for name in ("drop_auxiliary", "drop_labels")}
    for name, keys in (("networks", study.networks), ("train", study.train)):
        words |= {f"{name}.{key}": json.dumps(value, sort_keys=True) for key, value in keys.items()}
    return words | {"search trials": str(study.budget.search_trials), "seeds": str(study.budget.seeds)}


def together(studies: Sequence[Runs]) -> Runs:
    """Studies on the same data as one without a claim: all that is compared across them is exploratory.

    Arms that are the same trials are one arm. Seeds beyond those that all studies have are left out.
    """
    first = studies[0].study
    seeds = min(runs.study.budget.seeds for runs in studies)
    arms: dict[str, Arm] = {}
    seen: dict[tuple[str, ...], str] = {}
    index, owner = [], dict[str, Runs]()
    # Seeds are shared first: an arm that one study ran with more of them is still the same trials.
    trials_of = {(runs.study.name, arm): _shared(runs, arm, seeds) for runs in studies for arm in runs.arms}
    kinds: dict[str, set[tuple[str, ...]]] = {}
    for (_, arm), trials in trials_of.items():
        kinds.setdefault(arm, set()).add(trials)
    for runs in studies:
        for arm in runs.arms:
            trials = trials_of[runs.study.name, arm]
            if trials and trials in seen:
                continue
            alike = len(kinds[arm]) == 1 and bool(trials)
            whose = "" if alike or not _elsewhere(studies, arm) else f" ({runs.study.name})"
            name = f"{arm}{whose}"
            seen[trials] = name
            arms[name] = replace(runs.study.arms[arm], label=f"{runs.label(arm)}{whose}")
            roles = runs.index[runs.index["wanted"].astype(bool) & (runs.index["arm"] == arm)]
            roles = roles[(roles["row"] == "") & (roles["control"] == "")]
            within = (roles["stage"] == "confirm") & roles["seed"].map(lambda seed: _within(seed, seeds))
            roles = roles[within | roles["stage"].isin(["search", "finalists"])]
            index.append(roles.assign(arm=name))
            owner |= dict.fromkeys(roles["trial"], runs)
    study = replace(
        first,
        name=_names(studies),
        claim=None,
        arms=arms,
        ablated="",
        rows={},
        controls=(),
        budget=replace(first.budget, seeds=seeds),
        equivalent=min((runs.study.equivalent for runs in studies if runs.study.equivalent is not None), default=None),
        complete=all(runs.study.complete for runs in studies),
    )
    return Runs(
        study=study,
        index=pd.concat(index, ignore_index=True),
        trials=_once([runs.trials for runs in studies], ["trial"]),
        curves=_once(
            [runs.curves.astype({"trial": str, "metric": str}) for runs in studies], ["trial", "epoch", "metric"]
        ),
        predictions=lambda trial: owner[trial].predictions(trial) if trial in owner else None,
        # The strictest of the levels at which the studies test.
        history=max((runs.history for runs in studies), key=lambda history: history.look),
    )


def _shared(runs: Runs, arm: str, seeds: int) -> tuple[str, ...]:
    """An arm's finished trials of the first so many seeds."""
    finished = confirmed(runs, arm).finished
    return tuple(sorted(trial for (_, _, seed), trial in finished.items() if _within(seed, seeds)))


def _within(seed: int, seeds: int) -> bool:
    # With repeats, each brings its seeds, ten thousand further.
    return bool(seed % 10_000 <= seeds)


def _elsewhere(studies: Sequence[Runs], arm: str) -> bool:
    return sum(arm in runs.arms for runs in studies) > 1


def page(compared: ComparedStudies) -> Runs:
    """What the page's sections read."""
    whole = together([group.runs for group in compared.groups])
    claim = compared.claim
    claimed = [f"--claim {claim.arm}", *(f"--against {arm}" for arm in claim.against)] if claim else []
    study = replace(
        whole.study,
        name=_names(compared.studies),
        command=" ".join(["python -m kdsweep report", *(runs.study.path for runs in compared.studies), *claimed]),
    )
    return replace(whole, study=study, compared=compared)


def _names(studies: Sequence[Runs]) -> str:
    return " + ".join(runs.study.name for runs in studies)


def _once(frames: Sequence[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True).drop_duplicates(keys, ignore_index=True)
