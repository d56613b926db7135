"""What a report knows of a study beside the tables of its trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from kdsweep.tasks import registry as tasks
from kdsweep.values.card import Part
from kdsweep.values.condition import Condition
from kdsweep.values.space import Domain
from kdsweep.values.study import Arm, Claim, Row


@dataclass(frozen=True)
class Budget:
    """How much every arm was allowed.

    Attributes:
        search_trials: of every arm, pruned and failed ones included; 0 where nobody knows.
        seeds: of the confirm runs, 1 to n.
        repeats: how often the whole protocol ran, with seeds of its own.
        published_first: whether every search begins with its method's published settings.
    """

    search_trials: int
    seeds: int
    repeats: int = 1
    published_first: bool = False


@dataclass(frozen=True)
class DescribedData:
    """The dataset.

    Attributes:
        train, valid, test: samples of the first fold's parts; 0 where nobody knows.
        given: which parts the dataset itself names: "all", "test" or none ("").
        standardised: whether inputs are put on one scale by the training part.
        test_groups: groups of test samples (speakers, subjects); None where a new sample is a new unit.
        known_groups: how many of them have rows in another part, too.
        split_by, infer_over: groupings that the study names for its parts and its intervals; "" where it names none.
        grouping: names which sample is in which of them; "" where there are none.
        folds: how often the data was cut.
        search_fold: "first" where the first fold's data chose the settings of all folds, else "each".
        classes: their names, in the order of the labels.
        drop_auxiliary: the share of training samples whose auxiliary modalities the study takes away.
        drop_labels: the share of the training labels that the study takes away.
        unlabelled: samples that have no label in the data: of train among its samples, of other parts beside them.
        fingerprint: names the content.
        tested: names the test rows, by their ids and labels.
        parts: digests of the row ids of each fold's parts.
    """

    test: int
    train: int = 0
    valid: int = 0
    given: str = ""
    standardised: bool = False
    test_groups: int | None = None
    known_groups: int = 0
    split_by: str = ""
    infer_over: str = ""
    grouping: str = ""
    folds: int = 1
    search_fold: str = "each"
    classes: tuple[str, ...] = ()
    drop_auxiliary: float = 0.0
    drop_labels: float = 0.0
    unlabelled: Mapping[Part, int] = field(default_factory=dict)
    fingerprint: str = ""
    tested: str = ""
    parts: tuple[Mapping[Part, str], ...] = ()


class Check(NamedTuple):
    """Something that a comparison rests on: whether it holds ("yes", "no", "in part", "not verified"), and a note."""

    what: str
    state: str
    note: str


@dataclass(frozen=True)
class Described:
    """A study, or runs that somebody else made, in the nouns of a study.

    Attributes:
        select: which epoch counts, "last" or "best_valid"; "" where nobody knows.
        student, auxiliary: modalities seen at deployment, and in training only.
        arms: by name, in the study's order.
        claim: what it set out to show; None where all is exploratory.
        equivalent: half the width of the region of equivalence, in the metric's printed unit; None: no such verdict.
        ablated: the arm that `rows` change; "" where there is no ablation.
        rows: of the ablation, by name.
        conditions: of deployment, that the students of confirm are read under.
        inapplicable: why controls have no meaning here, by control.
        networks, train: what the study says of them, as JSON would hold it.
        file: the text of the study's file.
        path: where that lies.
        command: makes this report again.
        storage: root of the results.
        complete: whether everything that was asked for is there.
        expected: how many runs each stage of an unfinished study has in all.
        refresh: whether the page loads itself anew.
        model_space: the ranges from which teachers and auxiliary models are searched.
        licence, source: of the data, where its card names them.
        checks: of runs that kdsweep did not make: what of them could be verified.
    """

    name: str
    task: str
    metric: str
    select: str
    arms: Mapping[str, Arm]
    budget: Budget
    data: DescribedData
    student: tuple[str, ...] = ()
    auxiliary: tuple[str, ...] = ()
    claim: Claim | None = None
    equivalent: float | None = None
    ablated: str = ""
    rows: Mapping[str, Row] = field(default_factory=dict)
    controls: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    inapplicable: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    path: str = ""
    command: str = ""
    storage: str = ""
    complete: bool = True
    expected: Mapping[str, int] = field(default_factory=dict)
    refresh: bool = False
    model_space: Mapping[str, Domain] = field(default_factory=dict)
    licence: str = ""
    source: str = ""
    checks: tuple[Check, ...] = ()

    @property
    def maximize(self) -> bool:
        """Whether a larger score is better."""
        return tasks.load(self.task).metrics[self.metric].maximize

    @property
    def imported(self) -> bool:
        """Whether somebody else made the runs: then nothing but their scores is known."""
        return bool(self.checks)
