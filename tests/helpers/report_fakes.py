"""A study's tables made up from a seed, for tests of the report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd

from kdsweep.report.facts import ledger
from kdsweep.report.facts.described import Budget, Described, DescribedData
from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.scores import units
from kdsweep.tasks.registry import METRICS
from kdsweep.values.paper import Paper
from kdsweep.values.study import Arm, Claim, Recipe, Row

LABELS = {
    "student_only": "Student only",
    "kd": "KD",
    "amid": "AMID",
    "teacher": "Teacher",
    "auxiliary_only": "Auxiliary only",
}
SKILL = {"student_only": 1.2, "kd": 1.5, "amid": 1.9, "teacher": 2.4, "auxiliary_only": 1.5}
TERMS = {
    "student_only": ["ce"],
    "kd": ["ce", "kd"],
    "amid": ["ce", "kd", "mi_teacher", "entropy"],
    "teacher": ["ce"],
    "auxiliary_only": ["ce"],
}
NUMBERS = {"kd": ["kd.temperature", "kd.weight"], "amid": ["kd.weight", "entropy.weight"]}
HINTON = Paper(
    authors=("Hinton", "Vinyals", "Dean"),
    title="Distilling the Knowledge in a Neural Network",
    year=2015,
    arxiv="1503.02531",
)
ROWS = {"without mi_teacher": ["mi_teacher"], "without entropy": ["entropy"], "only kd": ["mi_teacher", "entropy"]}
CONTROLS = ("student_only_teacher", "shuffled_within_class", "untrained_teacher", "label_smoothing")


class World:
    """A test set whose samples are easier and harder, and runs that differ by seed."""

    def __init__(self, *, samples: int, classes: int, groups: int | None, metric: str) -> None:
        self.rng = np.random.default_rng(7)
        self.label = self.rng.integers(classes, size=samples)
        self.ease = self.rng.normal(scale=1.5, size=samples)
        self.groups, self.classes, self.metric = groups, classes, metric
        self.tastes: dict[str, Any] = {}
        self.kept: dict[str, pd.DataFrame] = {}
        self.index: list[dict[str, Any]] = []
        self.trials: list[dict[str, Any]] = []
        self.curves: list[dict[str, Any]] = []

    def predict(self, trial: str, skill: float, method: str) -> None:
        """Methods find different samples hard: more seeds do not average that out."""
        samples = len(self.label)
        logits = self.rng.normal(scale=1.0, size=(samples, self.classes))
        if method not in self.tastes:
            self.tastes[method] = self.rng.normal(scale=0.4, size=samples)
        logits[np.arange(samples), self.label] += skill + self.ease + self.tastes[method] + self.rng.normal(scale=0.1)
        self.kept[trial] = pd.DataFrame(
            {
                "sample": [f"s{i:04d}" for i in range(samples)],
                "group": [None if self.groups is None else f"g{i % self.groups}" for i in range(samples)],
                "label": self.label,
                "prediction": logits.argmax(1),
                "rank": (logits > logits[np.arange(samples), self.label][:, None]).sum(1),
                "logits": list(logits.astype(np.float16)),
            }
        )

    def run(
        self, trial: str, *, skill: float, state: str = "complete", epochs: int = 8, test: bool = False, **fields: Any
    ) -> None:
        """One trial with its curves; the fields of the row are given where they differ."""
        row = {
            "trial": trial, "state": state, "method": "kd", "choices": "{}", "dropped": "[]", "teacher": "",
            "distils_from": "", "seed": 0, "fold": 0, "epochs": epochs, "seconds": 3.5, "error": "",
            "papers": "{}", "version": "0.1.0", "commit": "abc123", "host": "worker-1", "device": "cpu",
            "libraries": json.dumps({"torch": "2.13.0", "ray": "2.55.0"}),
            "start": "2026-01-01T10:00:00", "end": "2026-01-01T10:00:04",
        }  # fmt: skip
        if state == "failed":
            row["error"] = "diverged at epoch 2: the loss is not finite"
        self.trials.append({**row, **fields})
        level = 1 / (1 + np.exp(-skill))
        for epoch in range(1, epochs + 1):
            share = level * (1 - 0.6 * 0.6**epoch) + self.rng.normal(scale=0.01)
            values = {"train/loss": 2 * 0.7**epoch + 0.2, "train/loss/ce": 0.7**epoch, f"valid/{self.metric}": share}
            if fields.get("teacher"):
                values[f"valid/teacher_{self.metric}"] = 0.93
            self.curves += [{"trial": trial, "epoch": epoch, "metric": k, "value": v} for k, v in values.items()]
        if test and state == "complete":
            self.predict(trial, skill, fields["method"])
            for metric in sorted({self.metric, "accuracy", "macro_f1", "log_loss"}):
                value = 0.05 if metric == "ece" else float(units(self.kept[trial], METRICS[metric]).mean())  # type: ignore[union-attr]
                self.curves.append({"trial": trial, "epoch": epochs, "metric": f"test/{metric}", "value": value})

    def role(self, trial: str, stage: str, arm: str, **fields: Any) -> None:
        role = {
            "trial": trial, "stage": stage, "arm": arm, "row": "", "retuned": False, "control": "",
            "trains": "student", "repeat": 0, "seed": 0, "fold": 0, "generation": 0, "number": 0, "wanted": True,
        }  # fmt: skip
        self.index.append({**role, **fields})


def make(
    *,
    seeds: int = 10,
    search: int = 16,
    samples: int = 400,
    groups: int | None = None,
    folds: int = 1,
    repeats: int = 1,
    metric: str = "accuracy",
    complete: bool = True,
    fail: str = "",
    claim: bool = True,
    equivalent: float | None = 3.0,
    confirmed: int | None = None,
    name: str = "quickstart",
    labels: dict[str, str] | None = None,
    classes: int = 4,
    looks: list[int] | None = None,
    skills: dict[str, float] | None = None,
    more_rows: dict[str, dict[str, Any]] | None = None,
    retuned: bool = False,
) -> Runs:
    """A finished study of three arms, two reference rows, three ablation rows and four controls.

    Args:
        looks: numbers of seeds, times repeats, at which the same study was shown before.
        skills: of arms that are better or worse than usual.
        fail: an arm whose confirm run with seed 2 failed.
        confirmed: how many confirm seeds are back; all unless given.
        more_rows: of the ablation, beside the three: skill, and what the study knows of a row.
        retuned: whether the three rows also ran after a search of their own, and a little better.
    """
    labels, skills = {**LABELS, **(labels or {})}, {**SKILL, **(skills or {})}
    world = World(samples=samples, classes=classes, groups=groups, metric=metric)
    keys = [(r, f, s) for r in range(repeats) for f in range(folds) for s in range(1, seeds + 1)]
    keys = [key for key in keys if confirmed is None or key[2] <= confirmed]
    for trains, arm in (("teacher", "teacher"), ("bottom", "auxiliary_only")):
        for r, f, s in keys:
            trial = f"{arm}-{r}-{f}-{s}"
            world.run(trial, skill=skills[arm], test=True, method=arm, seed=s, fold=f)
            world.role(trial, "teacher", arm, trains=trains, repeat=r, fold=f, seed=s)
    for arm in ("student_only", "kd", "amid"):
        for number in range(search):
            trial = f"{arm}-search-{number}"
            state = "failed" if number == 3 else "pruned" if number > 8 and number % 2 else "complete"
            names = [*NUMBERS.get(arm, []), "train.lr"]
            numbers: dict[str, Any] = {f"param.{k}": float(10 ** world.rng.uniform(-3, 0)) for k in names}
            skill = skills[arm] + world.rng.normal(scale=0.3)
            world.run(trial, skill=skill, state=state, epochs=2 if state != "complete" else 8, method=arm, **numbers)
            world.role(trial, "search", arm, generation=number // 8, number=number)
        for number in range(6):
            world.run(f"{arm}-final-{number}", skill=skills[arm], method=arm, seed=1001 + number % 3)
            world.role(f"{arm}-final-{number}", "finalists", arm, number=number // 3, seed=1001 + number % 3)
        for r, f, s in keys:
            _confirm(world, arm, (r, f, s), skill=skills[arm], failed=arm == fail and s == 2)
    world.role("kd-search-0", "search", "old", number=99, wanted=False)
    for row, dropped in ROWS.items():
        for key in keys:
            _confirm(world, "amid", key, row=row, dropped=dropped, skill=skills["amid"] - 0.25 * len(dropped))
            if retuned:
                skill = skills["amid"] - 0.2 * len(dropped)
                _confirm(world, "amid", key, row=row, dropped=dropped, skill=skill, retuned=True)
    for row, entry in (more_rows or {}).items():
        for key in keys:
            _confirm(world, "amid", key, row=row, dropped=entry.get("dropped"), skill=entry["skill"])
    for control in CONTROLS[:3]:
        for number in range(search if control == "student_only_teacher" else 0):
            world.run(f"{control}-search-{number}", skill=1.3, method="amid")
            world.role(f"{control}-search-{number}", "search", "amid", control=control, number=number)
        for key in keys:
            _confirm(world, "amid", key, control=control, skill=1.3)
    for arm in ("student_only", "kd", "amid"):
        for key in keys:
            _confirm(world, arm, key, stage="defaults", skill=skills[arm] - 0.3)
    rows = {row: {"kind": _kind(row), "dropped": dropped} for row, dropped in ROWS.items()} | (more_rows or {})
    study = Described(
        name=name,
        task="classification",
        metric=metric,
        select="last",
        arms={arm: _arm(arm, labels[arm]) for arm in TERMS},
        budget=Budget(search, seeds, repeats),
        data=DescribedData(
            train=1000,
            test=samples,
            fingerprint="content",
            tested="test rows",
            test_groups=groups,
            folds=folds,
            classes=tuple(f"class {i}" for i in range(classes)),
        ),
        student=("top",),
        auxiliary=("bottom",),
        claim=Claim("amid", ("student_only", "kd")) if claim else None,
        equivalent=equivalent,
        ablated="amid",
        rows={row: _row(row, **entry) for row, entry in rows.items()},
        controls=CONTROLS,
        file="name: quickstart\narms:\n  amid:\n",
        command="python -m kdsweep launch search_spaces/quickstart.yaml",
        complete=complete,
    )
    index, there = pd.DataFrame(world.index), {trial["trial"] for trial in world.trials}
    return Runs(
        study=study,
        index=index,
        trials=pd.DataFrame(world.trials),
        curves=pd.DataFrame(world.curves),
        predictions=world.kept.get,
        history=shown_before(study, index, there, looks or []),
    )


def shown_before(study: Described, index: pd.DataFrame, there: set[str], looks: list[int]) -> ledger.History:
    """The showings of the same study at these numbers of seeds, one a minute, before this one."""
    now = ledger.showing(study, index, there)
    if now is None:
        return ledger.NOTHING_SHOWN
    by_arm = index[index["trial"].isin(now.trials)].sort_values(["repeat", "seed"]).groupby("arm")["trial"]
    earlier = [
        replace(
            now,
            when=f"2026-01-01T10:{minute:02d}:00.000000+00:00",
            n=n,
            whole=True,
            trials=tuple(sorted(by_arm.head(n * study.data.folds))),
        )
        for minute, n in enumerate(looks)
    ]
    return ledger.history(earlier, now, rows=now.rows, data=now.data)


def _arm(name: str, label: str) -> Arm:
    recipe = Recipe(f"What {name} does.", tuple(TERMS[name]), ("ce",))
    teacher = "multimodal" if len(TERMS[name]) > 1 else ""
    return Arm(name=name, label=label, method=name, teacher=teacher, choices={}, fixed={}, space={}, recipe=recipe)


def _kind(row: str) -> str:
    return "add_one_in" if row.startswith("only") else "leave_one_out"


def _row(name: str, *, kind: str = "set", dropped: Sequence[str] = (), skill: float = 0.0, **changed: Any) -> Row:
    return Row(name, kind, tuple(dropped), **changed)


def _confirm(
    world: World, arm: str, key: tuple[int, int, int], *, row: str = "", control: str = "", skill: float,
    dropped: list[str] | None = None, failed: bool = False, retuned: bool = False, stage: str = "",
) -> None:  # fmt: skip
    r, f, s = key
    trial = f"{arm}-{row or control or stage or 'confirm'}{'-retuned' * retuned}-{r}-{f}-{s}".replace(" ", "_")
    teacher = f"teacher-{r}-{f}-{s}" if arm != "student_only" else ""
    world.run(
        trial, skill=skill, test=True, state="failed" if failed else "complete",
        method=arm, seed=s, fold=f, teacher=teacher, distils_from="multimodal" if teacher else "",
        dropped=json.dumps(dropped or []), papers=json.dumps({"kd": [HINTON.to_json()]} if teacher else {}),
        **dict[str, Any]({f"param.{name}": 0.5 for name in [*NUMBERS.get(arm, []), "train.lr"]}),
    )  # fmt: skip
    stage = stage or ("ablate" if row else "control" if control else "confirm")
    world.role(trial, stage, arm, row=row, control=control, repeat=r, fold=f, seed=s, retuned=retuned)


def crowded(runs: Runs, *, arms: int) -> Runs:
    """The same study with so many arms: all beyond its own are KD's runs under other names."""
    names = [f"variant_{i}" for i in range(arms - len(runs.arms))]
    kd = runs.index[runs.index["arm"] == "kd"]
    index = pd.concat([runs.index, *(kd.assign(arm=name) for name in names)], ignore_index=True)
    more = {name: replace(runs.study.arms["kd"], name=name, label=f"A variant, number {name[8:]}") for name in names}
    return replace(runs, study=replace(runs.study, arms={**runs.study.arms, **more}), index=index)


NASTY = "<img src=x onerror=alert(1)>"


def nasty() -> Runs:
    """A study whose every name is an attack."""
    labels = {"amid": NASTY, "kd": f"</script>{NASTY}"}
    runs = make(search=3, seeds=3, samples=30, name=NASTY, labels=labels)
    # Names of arms are checked where they are read; terms, numbers, choices and modalities come from a user's module.
    arms = {name: _nasty_arm(arm) for name, arm in runs.study.arms.items()}
    arms["amid"] = replace(arms["amid"], teacher=NASTY)
    rows = [
        replace(row, name=f"{NASTY}{row.name}", dropped=tuple(NASTY + term for term in row.dropped))
        for row in runs.study.rows.values()
    ]
    study = replace(
        runs.study,
        arms=arms,
        rows={row.name: row for row in rows},
        data=replace(runs.study.data, classes=(NASTY,) * 4),
        student=(NASTY,),
        auxiliary=(f"=1+1{NASTY}",),
        controls=(*CONTROLS, NASTY),
        inapplicable={NASTY: NASTY},
        file=f"</pre>{NASTY}",
        command=NASTY,
    )
    index, trials = runs.index.copy(), runs.trials.rename(columns={"param.kd.weight": f"param.{NASTY}"})
    curves = runs.curves.replace({"metric": {"train/loss/ce": f"train/loss/{NASTY}"}})
    index["row"] = [f"{NASTY}{row}" if row else row for row in index["row"]]
    trials["error"], trials["host"] = NASTY, NASTY
    trials["papers"] = json.dumps({NASTY: f"javascript:alert(1) {NASTY}"})
    return replace(runs, study=study, index=index, trials=trials, curves=curves)


def _nasty_arm(arm: Arm) -> Arm:
    terms = tuple(f"{NASTY}{term}" if arm.name == "amid" and term != "ce" else term for term in arm.recipe.terms)
    return replace(arm, choices={NASTY: NASTY}, recipe=replace(arm.recipe, summary=NASTY, terms=terms))


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(page: str) -> list[tuple[str, dict[str, str | None]]]:
    """Every element of a page with its attributes."""
    parser = _Elements()
    parser.feed(page)
    return parser.found
