"""Small stand-ins: studies from a few lines, and a trainer that needs no training."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from kdsweep import study_file
from kdsweep.protocol.plan import Known, Plan, plan
from kdsweep.protocol.trials import Memory
from kdsweep.values.card import Facts, Rows
from kdsweep.values.result import Proposal, Result
from kdsweep.values.study import Study
from kdsweep.values.trial import Trial

SMALL: dict[str, Any] = {
    "data": {"name": "digits", "student": ["top"], "auxiliary": ["bottom"]},
    "networks": {
        "student": {"top": {"mlp": {"hidden": [8], "embedding": 8}}},
        "teacher": {"top": {"mlp": {"hidden": [8], "embedding": 8}}, "bottom": {"mlp": {"hidden": [8]}}},
        "auxiliary": {"bottom": {"mlp": {"hidden": [8], "embedding": 8}}},
    },
    "train": {"epochs": 8, "batch_size": 256},
    "every_arm": {"train.lr": {"float": [1e-3, 1e-1], "log": True}},
    "teachers": {"trials": 3},
    "arms": {"student_only": {}, "kd": {}, "amid": {}},
    "search": {"trials": 7, "generation": 2},
    "finalists": {"points": 2, "seeds": 2},
    "confirm": {"seeds": 2},
    "ablate": {"arm": "amid", "rows": ["leave_one_out"]},
    "controls": ["student_only_teacher", "untrained_teacher"],
    "report": {"claim": {"arm": "amid", "against": ["student_only", "kd"]}},
}


def study(facts: bool = True, name: str = "small", **changes: Any) -> Study:
    """The small study with some of its sections changed: `study(confirm={"seeds": 3})`; None removes one."""
    whole = {**SMALL, **changes}
    text = yaml.safe_dump({key: value for key, value in whole.items() if value is not None}, sort_keys=False)
    found = study_file.parse(text, name=name)
    return replace(found, facts=made_up_facts(found)) if facts else found


def made_up_facts(found: Study, fingerprint: str = "content") -> Facts:
    folds = found.data.folds.count if found.data.folds else 1
    rows = [
        Rows(
            {part: f"{part} {found.data.split_seed} {fold}" for part in ("train", "valid", "test")},
            {"train": 600, "valid": 200, "test": 200},
        )
        for fold in range(folds)
    ]
    return Facts(fingerprint, tuple(rows))


def trained(trial: Trial) -> Result:
    """A result that depends on nothing but the trial: some diverge, some fall behind their thresholds."""
    draw = random.Random(trial.id)
    epochs = int(trial.train["epochs"])
    end, start = draw.random(), draw.random() / 2
    curve = [start + (end - start) * epoch / max(1, epochs) for epoch in range(1, epochs + 1)]
    if draw.random() < 0.05 and trial.thresholds:
        return Result("failed", 0, {trial.metric: curve[:1]})
    for rung, bar in trial.thresholds:
        if curve[rung - 1] < bar:
            return Result("pruned", rung, {trial.metric: curve[:rung]})
    return Result("complete", epochs, {trial.metric: curve})


@dataclass
class Store:
    """Results in memory, and how often each trial was trained."""

    trials: dict[str, Result] = field(default_factory=dict)
    proposals: dict[tuple[str, int], tuple[Proposal, ...]] = field(default_factory=dict)
    arithmetic: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)

    @property
    def known(self) -> Known:
        return Known(dict(self.trials), dict(self.proposals), dict(self.arithmetic))

    def settle(self, unfolded: Plan) -> None:
        """Store what a plan asks for before its trials: proposals, and how each structure computes."""
        self.arithmetic |= dict.fromkeys(unfolded.unsettled, "stacked")
        self.proposals |= unfolded.proposals

    def train(self, trial: Trial) -> None:
        self.runs.append(trial.id)
        self.trials[trial.id] = trained(trial)


def run(
    found: Study,
    store: Store | None = None,
    *,
    order: Callable[[list[Trial]], list[Trial]] = list,
    at_once: int = 1000,
    kill_after: int | None = None,
) -> tuple[Store, Plan]:
    """Unfold a study to its end. `order` and `at_once`: which of the ready trials finish, and how many between plans.

    `kill_after`: stop dead after that many trials, with nothing but the store left. The plans share one memory, as
    those of a launch do.
    """
    store, memory, done = store if store is not None else Store(), Memory(), 0
    while True:
        unfolded = plan(found, store.known, memory)
        if unfolded.complete:
            return store, unfolded
        store.settle(unfolded)
        for trial in order(list(unfolded.ready))[:at_once]:
            if kill_after is not None and done == kill_after:
                return store, unfolded
            store.train(trial)
            done += 1


def fingerprint(store: Store) -> str:
    """Everything in a store, as one word."""
    whole = sorted((id_, repr(result)) for id_, result in store.trials.items())
    return hashlib.sha256(repr((whole, sorted(store.proposals.items()))).encode()).hexdigest()


def asked(unfolded: Plan) -> set[str]:
    """The trials that a plan asks for."""
    return {role.trial for role in unfolded.roles}
