"""Every key of a study file decides exactly what it should. The keys are those of the models: a new one has to say."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pytest
from pydantic import BaseModel

from kdsweep.data.dataset import Dataset
from kdsweep.protocol.plan import Role
from kdsweep.study_file.sections import File
from kdsweep.values.study import Data, Folds, Study, Train
from tests.helpers.datasets import blobs
from tests.helpers.fakes import SMALL, Store, made_up_facts, run, study

# Whose trials there are in the small study: its arms, and the models that they read.
MODELS, ARMS = {"teacher", "bottom"}, {"student_only", "kd", "amid"}
ALL = MODELS | ARMS
SAID = "tests.helpers.modules_of_a_user:what_a_teacher_said"


@dataclass(frozen=True)
class Key:
    """What another value of a key changes.

    Attributes:
        changes: sections of the small study that hold it, or what makes another study of it.
        new: whose trials become others. Of everybody else's, those that are asked for in both are the same.
        searched: whether searches begin anew, though their trials at the same numbers are the same.
        settled: whether it is settled anew how structures compute.
        among: sections of both studies, where the small one will not do.
        partly: not every one of those trials becomes another.
    """

    changes: dict[str, Any] | Callable[[Study], Study]
    new: set[str] = field(default_factory=set)
    searched: bool = False
    settled: bool = False
    among: dict[str, Any] = field(default_factory=dict)
    partly: bool = False


def data(**changes: Any) -> dict[str, Any]:
    return {"data": {**SMALL["data"], **changes}}


def searching(**changes: Any) -> dict[str, Any]:
    return {"search": {**SMALL["search"], **changes}}


def networks(role: str, **places: Any) -> dict[str, Any]:
    return {"networks": {**SMALL["networks"], role: places}}


def unclaimed(**changes: Any) -> dict[str, Any]:
    """Without what names arms that are not there."""
    return {"ablate": None, "controls": None, "report": None, **changes}


def said(**columns: str) -> dict[str, Any]:
    return {"teachers": {"outputs": {"logits": "said", "embedding": "width", **columns}}}


def another_kind_of_pruner(found: Study) -> Study:
    assert found.search.pruner is not None
    pruner = found.search.pruner.model_copy(update={"kind": "another"})
    return replace(found, search=found.search.model_copy(update={"pruner": pruner}))


BROUGHT = unclaimed(
    data={"python": SAID, "student": ["a"], "auxiliary": ["b"]}, networks=None, arms={"student_only": {}, "kd": {}}
)
KEYS = {
    "name": Key({"name": "another"}),
    "seed": Key({"seed": 1}, searched=True),
    "data.student": Key(
        {"data": {"name": "digits", "student": ["bottom"], "auxiliary": ["top"]}},
        new={"teacher", *ARMS}, among={"networks": None},
    ),
    "data.auxiliary": Key(
        data(auxiliary=[]), new={"teacher", "kd"},
        among=unclaimed(networks=None, arms={"student_only": {}, "kd": {}}),
    ),
    "data.folds.search": Key(
        data(folds={"count": 2, "search": "first"}), among=data(folds={"count": 2, "search": "each"})
    ),
    "data.standardise": Key(data(standardise=True), new=ALL),
    "data.drop_auxiliary": Key(data(drop_auxiliary=0.5), new=ALL - {"student_only"}),
    "data.drop_labels": Key(data(drop_labels=0.5), new=ALL),
    "task": Key({"task": "retrieval"}, new=ALL),
    "metric": Key({"metric": "macro_f1"}, searched=True),
    "select": Key({"select": "best_valid"}, new=ALL),
    "networks.student": Key(networks("student", top={"mlp": {"hidden": [4]}}), new=ARMS),
    "networks.teacher": Key(networks("teacher", top="mlp", bottom="mlp"), new={"teacher", "kd", "amid"}),
    "networks.auxiliary": Key(networks("auxiliary", bottom={"mlp": {"hidden": [4]}}), new={"bottom", "amid"}),
    "teachers.trials": Key({"teachers": {"trials": 4}}),
    # At the first seed it is the same teacher.
    "teachers.seeds": Key({"teachers": {"trials": 3, "seeds": "one"}}, new={"kd", "amid"}, partly=True),
    "teachers.weights": Key({"teachers": {"weights": "brought.safetensors"}}, new={"kd"}),
    "teachers.outputs.logits": Key(said(logits="unsaid"), new={"kd"}, among=BROUGHT | said()),
    "teachers.outputs.embedding": Key(said(embedding="breadth"), new={"kd"}, among=BROUGHT | said()),
    "augment": Key({"augment": {"top": ["flip"]}}, new=ALL - {"bottom"}),
    "every_arm": Key({"every_arm": {"train.lr": 0.02}}, new=ALL),
    "arms": Key({"arms": {**SMALL["arms"], "kd": {"kd.weight": 2.0}}}, new={"kd"}),
    "search.trials": Key(searching(trials=6)),
    # Searches of one point have generations of one, whatever it says: the test below has larger ones.
    "search.generation": Key(searching(generation=1)),
    "search.sampler": Key(searching(sampler="random"), searched=True),
    "search.pruner.kind": Key(another_kind_of_pruner, searched=True),
    "search.pruner.keep": Key(searching(pruner={"keep": 0.25}), searched=True),
    "search.first": Key(searching(first=[{"train.lr": 0.02}]), new=ALL),
    "search.repeats": Key(searching(repeats=2)),
    "finalists.points": Key({"finalists": {"points": 1, "seeds": 2}}),
    "finalists.seeds": Key({"finalists": {"points": 2, "seeds": 3}}),
    "confirm.seeds": Key({"confirm": {"seeds": 3}}),
    "confirm.defaults": Key({"confirm": {**SMALL["confirm"], "defaults": False}}),
    "evaluate.missing": Key(
        {"evaluate": {"missing": True}},
        among=unclaimed(
            data={"name": "digits", "student": ["top", "bottom"], "auxiliary": []},
            networks=None, arms={"student_only": {}},
        ),
    ),
    "evaluate.noise": Key({"evaluate": {"noise": [1.0]}}),
    "evaluate.shift": Key({"evaluate": {"shift": [1.0]}}),
    "evaluate.views": Key({"evaluate": {"views": [4]}}, among={"augment": {"top": ["flip"]}}),
    "ablate.arm": Key({"ablate": {"arm": "kd"}}),
    "ablate.retune": Key({"ablate": {"arm": "amid", "retune": True}}),
    "ablate.rows": Key({"ablate": {"arm": "amid", "rows": ["add_one_in"]}}),
    "controls": Key({"controls": ["shuffled_within_class"]}),
    "report.claim.arm": Key({"report": {"claim": {"arm": "kd", "against": ["student_only"]}}}),
    "report.claim.against": Key({"report": {"claim": {"arm": "amid", "against": ["student_only"]}}}),
    "report.equivalent": Key({"report": {**SMALL["report"], "equivalent": 0.5}}),
    "report.references": Key({"report": {**SMALL["report"], "references": False}}),
    "storage": Key({"storage": "elsewhere/"}),
    "resources.device": Key({"resources": {"device": "cpu"}}),
    "resources.per_pack": Key({"resources": {"per_pack": {"cpus": 2}}}),
    "resources.concurrency": Key({"resources": {"concurrency": 3}}),
    "resources.workers": Key({"resources": {"workers": 2}}),
    # Alone, trials compute plainly, and nothing is settled.
    "resources.pack": Key({"resources": {"pack": 1}}, new=ALL, settled=True),
    "resources.compile": Key({"resources": {"compile": "on"}}, settled=True),
}  # fmt: skip
# Further examples of keys that hold others.
EXAMPLES = {
    "a choice of an arm": Key({"arms": {**SMALL["arms"], "amid": {"entropy.form": "gaussian"}}}, new={"amid"}),
    "an arm's teacher": Key({"arms": {**SMALL["arms"], "kd": {"teacher": "bottom"}}}, new={"kd"}),
    "an arm's label": Key({"arms": {**SMALL["arms"], "kd": {"label": "Hinton"}}}),
    "mixup": Key(
        {"augment": {"mixup": {}}}, new={"teacher", "student_only", "kd"},
        among=unclaimed(arms={"student_only": {}, "kd": {}}),
    ),
    "the metric where the epoch is chosen by it": Key(
        {"metric": "macro_f1"}, new=ALL, among={"select": "best_valid"}),
}  # fmt: skip
# These act through what the data are found to hold: its fingerprint, and the digests of the rows of each part.
CONTENT = {"data.name", "data.path", "data.python", "data.options"}
ROWS = {
    "data.split_seed": {"split_seed": 1},
    "data.folds.count": {"folds": Folds(count=3)},
    "data.split_by": {"split_by": "talk"},
}
# Rows of a group never part, whatever it says: it is a promise about the data, which reading a study checks.
CHECKED = {"data.folds.by"}
# What a report joins to predictions decides no trial.
JOINED = {"data.infer_over"}


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key that a file may have, as `section.key`."""
    for name, about in model.model_fields.items():
        kinds = [about.annotation, *get_args(about.annotation)]
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        yield from fields(inner, f"{prefix}{name}.") if inner is not None else [f"{prefix}{name}"]


def another_value(name: str) -> Any:
    """Of a key of the recipe: one that it may have beside the small study's."""
    about = Train.model_fields[name]
    if get_origin(about.annotation) is Literal:
        return next(value for value in get_args(about.annotation) if value != about.default)
    small = SMALL["train"].get(name, about.default) or 0.0
    return small + 1 if isinstance(small, int) else small / 2 or 0.25


# The whole recipe decides the training of everybody.
RECIPE = {
    f"train.{name}": Key({"train": {**SMALL["train"], name: another_value(name)}}, new=ALL)
    for name in Train.model_fields
    if name != "lr"
}
# What every arm searches is searched, whatever the recipe says; without a search it is the recipe's.
RECIPE["train.lr"] = Key({"train": {**SMALL["train"], "lr": 0.5}}, new=ALL, among={"every_arm": None})


def test_every_key_of_a_study_says_what_it_decides():
    assert set(fields(File)) == KEYS.keys() | RECIPE.keys() | ROWS.keys() | CONTENT | CHECKED | JOINED


@dataclass(frozen=True)
class Asked:
    """What a study asks for at settings that no search chose: trials by whose they are and role, and by what it finds
    searches and settlements."""

    trials: dict[str, dict[Role, str]]
    store: Store


def asked(changes: dict[str, Any]) -> Asked:
    return _asked(json.dumps(changes))


@functools.cache
def _asked(changes: str) -> Asked:
    return unfold(study(**json.loads(changes)))


def unfold(found: Study) -> Asked:
    found = replace(
        found,
        search=found.search.model_copy(update={"trials": 1}),
        teachers=found.teachers.model_copy(update={"trials": 1}),
        facts=made_up_facts(found),
    )
    store, unfolded = run(found)
    trials: dict[str, dict[Role, str]] = {}
    for role in unfolded.roles:
        if not (role.row or role.control) and role.stage in ("search", "confirm", "teacher"):
            trials.setdefault(role.arm or role.trains, {})[replace(role, trial="")] = role.trial
    return Asked(trials, store)


@pytest.mark.parametrize("name", [*KEYS, *RECIPE, *EXAMPLES])
def test_a_key_changes_exactly_the_hashes_that_it_decides(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "brought.safetensors").write_bytes(b"weights")
    key = (KEYS | RECIPE | EXAMPLES)[name]
    before = asked(key.among)
    after = unfold(key.changes(study(**key.among))) if callable(key.changes) else asked(key.among | key.changes)

    new, kept = set[str](), set[str]()
    for whose in before.trials.keys() & after.trials.keys():
        both = before.trials[whose].keys() & after.trials[whose].keys()
        assert both, f"nothing of {whose} is asked for in both"
        others = {role for role in both if before.trials[whose][role] != after.trials[whose][role]}
        new |= {whose} if others else set()
        kept |= {whose} if others != both else set()
    assert new == key.new
    assert key.partly or not new & kept
    if not key.new:
        searches = set(before.store.proposals), set(after.store.proposals)
        assert searches[0].isdisjoint(searches[1]) == key.searched
        settlements = set(before.store.arithmetic), set(after.store.arithmetic)
        assert settlements[0].isdisjoint(settlements[1]) == key.settled


def test_the_size_of_a_generation_makes_other_searches_where_their_budget_is_large():
    large = {"teachers": {"trials": 8}, "controls": None, "ablate": None}
    stores = [run(study(**large, search={"trials": 8, "generation": size}))[0] for size in (2, 1, 8, 9)]
    two, one, eight, nine = (set(store.proposals) for store in stores)
    assert two.isdisjoint(one)
    assert eight == nine


def talking() -> Dataset:
    """Rows of speakers, and of talks in which several of them speak."""
    made = blobs(groups=12)
    groupings = {"speaker": made.groups, "talk": np.array([f"talk {row // 6}" for row in range(len(made))])}
    return replace(made, card=replace(made.card, groupings=tuple(groupings)), groupings=groupings)


def test_what_intervals_speak_of_decides_no_rows():
    split = Data(name="blobs", student=("seen",)).split
    speakers, talks = (talking().facts(split, over=over) for over in ("", "talk"))
    assert replace(talks, groups=None, test_groups=None, known_groups=0) == replace(
        speakers, groups=None, test_groups=None
    )
    assert set(speakers.groups.values()).isdisjoint(talks.groups.values())
    assert (speakers.known_groups, talks.known_groups > 0) == (0, True)


@pytest.mark.parametrize("key", ROWS)
def test_a_key_of_the_split_decides_which_rows_there_are(key):
    grouped = talking()
    folds = {"folds": Folds(count=2)} if "folds" in key else {}
    before, after = (
        grouped.facts(Data(name="blobs", student=("seen",), **changes).split) for changes in (folds, folds | ROWS[key])
    )
    assert before.fingerprint == after.fingerprint
    assert all(rows not in before.folds for rows in after.folds)


def test_folds_of_data_with_groups_are_by_group_whatever_a_study_says():
    grouped = blobs(groups=12)
    by = [
        grouped.facts(Data(name="blobs", student=("seen",), folds=Folds(count=2, by=how)).split)
        for how in ("row", "group")
    ]
    assert by[0] == by[1]
