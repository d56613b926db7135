"""A study: one YAML file, as frozen values. `kdsweep.study_file` reads it and says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kdsweep.values.card import Card, Facts, Reference, Split
from kdsweep.values.condition import Condition, conditions
from kdsweep.values.space import Domain, Value
from kdsweep.values.trial import Given

Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the file that stands as it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Folds(Section):
    """Cross-validation: the whole protocol inside each fold's own training part."""

    count: int = Field(ge=2)
    by: Literal["row", "group"] = "row"
    search: Literal["each", "first"] = "each"


class Data(Section):
    """Which dataset, and who sees what of it."""

    name: str | None = None
    path: str | None = Field(
        None, description="folder that `data import` wrote; relative to where the command runs, not to this file"
    )
    python: str | None = None
    options: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of the dataset's loader")
    student: tuple[str, ...] = Field(min_length=1, description="modalities seen at deployment")
    auxiliary: tuple[str, ...] | None = Field(None, description="seen in training only; default: all the others")
    split_seed: int = 0
    split_by: str | None = Field(
        None, description="grouping of the data whose groups are never split; default: its own"
    )
    infer_over: str | None = Field(
        None, description="grouping that intervals speak of new groups of; default: that of the split"
    )
    folds: Folds | None = None
    standardise: bool | None = Field(
        None, description="put inputs on one scale by the training part's mean and deviation; default: of a path, yes"
    )
    drop_auxiliary: float = Field(0.0, ge=0, lt=1, description="share of training rows that lose their auxiliaries")
    drop_labels: float = Field(0.0, ge=0, lt=1, description="share of training rows that lose their label")

    @property
    def reference(self) -> Reference:
        return Reference(self.name, self.path, self.python, self.options)

    @property
    def split(self) -> Split:
        return Split(self.split_seed, self.folds.count if self.folds else 0, self.split_by or "")


class Columns(Section):
    """What a teacher said of every row, as columns of the data: vectors of kind "vector"."""

    logits: str
    embedding: str | None = None


class Teachers(Section):
    """The budget of the models that others distil from, or a teacher that exists already."""

    trials: int = Field(8, ge=1)
    seeds: Literal["each", "one"] = "each"
    weights: str | None = None
    outputs: str | Columns | None = Field(None, description="columns of the data; a name alone is of logits")


class Train(Section):
    """The training recipe. `lr`, `weight_decay`, `warmup` and `clip` may also be searched."""

    epochs: int = Field(30, ge=1)
    batch_size: int = Field(128, ge=2)
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    lr: float = Field(1e-3, gt=0)
    warmup: float = Field(0.05, ge=0, lt=1, description="fraction of training over which the learning rate rises")
    weight_decay: float = Field(1e-4, ge=0)
    clip: float = Field(1.0, ge=0, description="largest gradient norm of each network; 0 clips nothing")
    momentum: float = Field(0.9, ge=0, lt=1, description="of sgd")
    accumulate: int = Field(1, ge=1, description="batches whose gradients are averaged for one update")
    precision: Literal["float32", "bfloat16"] = Field("float32", description="of the networks; losses are in float32")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of every label that goes to all classes alike")
    class_weights: Literal["none", "balanced"] = Field("none", description="balanced: every class weighs the same")
    labelled: float | None = Field(
        None, gt=0, lt=1, description="share of every batch that has labels; default: batches are drawn as rows come"
    )


# The numbers of the recipe that act step by step and so may be searched: "train.lr", ...
SEARCHABLE_TRAIN = ("lr", "warmup", "weight_decay", "clip")


class Pruner(Section):
    """Stop a search trial that falls behind the best `keep` share of the earlier generations."""

    kind: str = "quantile"
    keep: float = Field(0.5, gt=0, lt=1)

    @property
    def numbers(self) -> dict[str, Any]:
        """What the pruner is called with."""
        return self.model_dump(exclude={"kind"})

    @property
    def identity(self) -> dict[str, Any]:
        """As the key of a search has it."""
        return self.numbers if self.kind == Pruner.model_fields["kind"].default else self.model_dump()


class Search(Section):
    """The tuning budget of every arm."""

    trials: int = Field(64, ge=1)
    generation: int = Field(
        8,
        ge=1,
        description="trials that are asked for at once, a quarter of `trials` at most; the first time twice as many",
    )
    sampler: str = Field("tpe", description="one of kdsweep's, or package.module:callable of your own")
    pruner: Pruner | None = Pruner()
    first: tuple[Literal["defaults"] | dict[str, float | int | str | bool], ...] = Field(
        ("defaults",),
        description="points that every search begins with: at most 2 * generation, and no more than trials",
    )
    repeats: int = Field(1, ge=1)


class Finalists(Section):
    """The best points of a search, run again with fresh seeds on validation: these choose. `points: 1` skips it."""

    points: int = Field(4, ge=1)
    seeds: int = Field(3, ge=1, le=1000)


class Confirm(Section):
    """Seeds 1 to n of each arm's best point; test is read here."""

    # Fresh seeds begin at 1001: they must stay fresh.
    seeds: int = Field(10, ge=1, le=1000)
    defaults: bool = Field(True, description="each arm at its published settings as well, at the same seeds")


class Evaluate(Section):
    """The conditions of deployment, on test: the students of confirm are read again, and nothing is trained."""

    missing: bool = Field(False, description="every choice of the student's modalities, one at least left")
    noise: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(
        (), description="shares of a modality's variance that noise replaces, each modality on its own; 1 leaves noise"
    )
    shift: tuple[float, ...] = Field((), description="standard deviations that are added to a modality")
    views: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        (), description="how many views of `augment` are averaged for a prediction"
    )


class Resources(Section):
    """Where and how wide it runs; none of it changes a result but `pack` and `compile`."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    per_pack: dict[Literal["cpus", "gpus"], Annotated[float, Field(ge=0)]] = {"cpus": 1.0}
    concurrency: Count | Literal["auto"] = "auto"
    workers: Count = 1
    pack: Count | Literal["auto"] = "auto"
    compile: Literal["on", "off"] = "off"


@dataclass(frozen=True)
class Recipe:
    """What an arm's method says of itself, under the arm's choices.

    Attributes:
        summary: what it does, in a sentence.
        terms: of its objective, in order.
        required: terms that are never ablated.
        base: terms that add-one-in rows keep beside those.
    """

    summary: str = ""
    terms: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    base: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One row of the comparison.

    Attributes:
        name, label: the study's name for it, and the words that a report prints.
        method: a shipped method, or `package.module`.
        teacher: whom it distils from: "multimodal", "unimodal" or an auxiliary modality; "" where nobody.
        choices: every choice of the method, defaults included.
        fixed: numbers set to a value.
        space: numbers searched, with their ranges; also choices that are searched, by their names (without a dot).
        recipe: what its method is.
        line: where the file lists it.
    """

    name: str
    label: str
    method: str
    teacher: str
    choices: Mapping[str, Value]
    fixed: Mapping[str, Value]
    space: Mapping[str, Domain]
    recipe: Recipe = Recipe()
    line: int = 0

    @property
    def reference(self) -> bool:
        """Whether this row shows models that are trained anyway, outside the equal budget."""
        return self.method in ("teacher", "auxiliary_only")


@dataclass(frozen=True)
class Row:
    """One row of an ablation: the arm with something taken away or changed.

    Attributes:
        name: unique in the study: "without mi_teacher", "only entropy", "entropy.form = gaussian".
        kind: "leave_one_out", "add_one_in", "without", "set" or "each".
        dropped: terms removed.
        choices, numbers: what replaces the arm's own.
        data: what replaces keys of `data`, by name ("drop_auxiliary", "drop_labels", "auxiliary").
    """

    name: str
    kind: str
    dropped: tuple[str, ...] = ()
    choices: Mapping[str, Value] = field(default_factory=dict)
    numbers: Mapping[str, Value] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """What the study sets out to show: `arm` beats each of `against`."""

    arm: str
    against: tuple[str, ...]


@dataclass(frozen=True)
class Study:
    """Everything that a study file says, checked against its dataset's card.

    Attributes:
        card: the dataset's description.
        facts: what identifies the dataset's content; None until it has been read (`with_facts`).
        ablated: the arm that `rows` change; "" where there is no ablation.
        retune: whether rows get searches of their own: False, True, or "both".
        maximize: whether a larger value of the metric is better.
        equivalent: half the width of the region of equivalence, in the metric's unit; None: no such verdict.
        references: whether models of scikit-learn stand beside the student.
        networks: specifications by role ("student", "teacher", "auxiliary"), then by modality; filled with defaults.
        augment: specifications by modality.
        source: the file's text.
        warnings: what the file asks for that is allowed and costs more, or changes less, than it seems.
    """

    name: str
    seed: int
    data: Data
    card: Card
    task: str
    metric: str
    maximize: bool
    select: Literal["last", "best_valid"]
    networks: Mapping[str, Any]
    teachers: Teachers
    train: Train
    augment: Mapping[str, Any]
    arms: Mapping[str, Arm]
    search: Search
    finalists: Finalists
    confirm: Confirm
    evaluate: Evaluate
    ablated: str
    retune: bool | Literal["both"]
    rows: tuple[Row, ...]
    controls: tuple[str, ...]
    claim: Claim | None
    equivalent: float | None
    references: bool
    storage: str
    resources: Resources
    teacher_space: Mapping[str, Domain] = field(default_factory=dict)
    teacher_fixed: Mapping[str, Value] = field(default_factory=dict)
    given: Given | None = None
    facts: Facts | None = None
    path: str = ""
    source: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def student(self) -> tuple[str, ...]:
        return self.data.student

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Of deployment, that its students are read under."""
        return conditions(self.evaluate, self.student, self.augment)

    @property
    def auxiliary(self) -> tuple[str, ...]:
        if self.data.auxiliary is not None:
            return self.data.auxiliary
        return tuple(name for name in self.card.modalities if name not in self.student)
