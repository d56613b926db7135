"""A trial is a frozen value holding everything that decides its result; its hash is that result's name on disk."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from kdsweep.values.space import Value


@dataclass(frozen=True)
class Given:
    """A teacher that the user brought: named by its bytes, never by its path.

    Attributes:
        kind: "weights" (a safetensors file) or "outputs" (columns of the dataset, part of its fingerprint).
        digest: of the bytes of weights.
        network: the specification that the weights fit; of outputs, the columns of "logits" and "embedding".
        path: where it lies; where a result came from, not what it is.
    """

    kind: Literal["weights", "outputs"]
    digest: str
    network: Mapping[str, Any] = field(default_factory=dict)
    path: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        network = without_paths({"teacher": self.network})["teacher"]
        return digest({"given": self.kind, "digest": self.digest, "network": network})


@dataclass(frozen=True, eq=False)
class Trial:
    """One training run. Equal identity means equal result, wherever it runs; change one with `dataclasses.replace`.

    Attributes:
        trains: the network in training: "student", "teacher", or the modality of an auxiliary model.
        method, code: the recipe, and the digest of the code that decides its result.
        fingerprint, rows: the dataset's content, and digests of the row ids in its train, valid and test parts.
        student, auxiliary: modalities seen at deployment, and in training only (empty where nothing reads them).
        standardise: whether inputs are put on one scale by the training part's mean and deviation.
        drop_auxiliary: the share of training rows whose auxiliary modalities are taken away.
        drop_labels: the share of training rows whose labels are taken away.
        select: which epoch counts, "last" or "best_valid".
        metric: what `select` and the thresholds read.
        choices, numbers: structure, and every hyperparameter that is set, by full name ("kd.weight", "train.lr").
        dropped: terms removed from the objective.
        control: what was broken on purpose (`kdsweep.values.control`); "" where nothing was.
        train, augment, networks: the recipe, and the specifications of the networks it builds, by role.
        thresholds: (epoch, value) pairs: where the metric is worse at that epoch, the trial stops there.
        reads_test: whether the test part is loaded.
        arithmetic: "plain", "stacked" or "compiled@W": last bits depend on it.
        teacher: the frozen teacher, None where there is none or it trains inside this trial.
        auxiliaries: the frozen auxiliary models that the method reads or that make up a unimodal teacher.
        distils_from: "multimodal", "unimodal" or a modality; "" where no teacher is read.
        fold: where `rows` came from; it acts through them and is no part of the identity.
    """

    trains: str
    method: str
    code: str
    fingerprint: str
    rows: Mapping[str, str]
    student: tuple[str, ...]
    auxiliary: tuple[str, ...]
    task: str
    select: str
    metric: str
    train: Mapping[str, Any]
    networks: Mapping[str, Any]
    seed: int = 0
    choices: Mapping[str, Value] = field(default_factory=dict)
    numbers: Mapping[str, Value] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    standardise: bool = False
    drop_auxiliary: float = 0.0
    drop_labels: float = 0.0
    control: str = ""
    augment: Mapping[str, Any] = field(default_factory=dict)
    thresholds: tuple[tuple[int, float], ...] = ()
    reads_test: bool = False
    arithmetic: str = "plain"
    teacher: Trial | Given | None = None
    auxiliaries: Mapping[str, Trial] = field(default_factory=dict)
    distils_from: str = ""
    fold: int = 0

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that the hash covers, as JSON would hold it. Models that it reads are there by their own hash."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "fold"}
        if not self.thresholds and self.select != "best_valid":
            del fields["metric"]
        if not self.drop_labels:
            del fields["drop_labels"]
        fields["networks"] = without_paths(self.networks)
        fields["teacher"] = self.teacher.id if self.teacher is not None else None
        fields["auxiliaries"] = {name: model.id for name, model in self.auxiliaries.items()}
        return fields

    @cached_property
    def id(self) -> str:
        return digest(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trial) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def models(self) -> dict[str, Trial | Given]:
        """The trained models that this trial reads: "teacher", and auxiliary models by modality."""
        teacher = {"teacher": self.teacher} if self.teacher is not None else {}
        return {**teacher, **self.auxiliaries}

    @property
    def teachers(self) -> tuple[Trial | Given, ...]:
        """The models that make up the frozen teacher: several where it is unimodal, none where no teacher is read."""
        if self.distils_from == "unimodal":
            return tuple(self.auxiliaries.values())
        return () if self.teacher is None else (self.teacher,)

    def to_json(self) -> dict[str, Any]:
        """Everything, nested trials included, so that `from_json` gives this trial back."""
        whole = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        if isinstance(self.teacher, Trial):
            whole["teacher"] = self.teacher.to_json()
        elif isinstance(self.teacher, Given):
            whole["teacher"] = {"given": dataclasses.asdict(self.teacher)}
        whole["auxiliaries"] = {name: model.to_json() for name, model in self.auxiliaries.items()}
        return whole

    @classmethod
    def named(cls, id_: str, whole: Mapping[str, Any]) -> Trial:
        """The trial that somebody's files hold under this id.

        Raises:
            ValueError: what they hold is another trial: nothing that stands beside it can be trusted either.
        """
        trial = cls.from_json(whole)
        if trial.id != id_:
            raise ValueError(f"the settings of trial {id_} are not those that it is named by")
        return trial

    @classmethod
    def from_json(cls, whole: Mapping[str, Any]) -> Trial:
        whole = dict(whole)
        match whole["teacher"]:
            case {"given": given}:
                whole["teacher"] = Given(**given)
            case dict(teacher):
                whole["teacher"] = cls.from_json(teacher)
        whole["auxiliaries"] = {name: cls.from_json(model) for name, model in whole["auxiliaries"].items()}
        for name in ("student", "auxiliary", "dropped"):
            whole[name] = tuple(whole[name])
        whole["thresholds"] = tuple((int(epoch), float(value)) for epoch, value in whole["thresholds"])
        return cls(**whole)


def without_paths(networks: Mapping[str, Any]) -> dict[str, Any]:
    """Networks by role, the weights that they start from named by their bytes alone, wherever those lie."""

    def bare(part: Any) -> Any:
        if isinstance(part, Mapping) and "weights" in part:
            return {**part, "weights": part["weights"]["digest"]}
        return part

    return {role: bare({place: bare(part) for place, part in network.items()}) for role, network in networks.items()}


# What trials of one structure may differ in: numbers, seeds, and which trained models they read.
_NUMBERS = ("seed", "numbers", "thresholds", "metric", "teacher", "auxiliaries", "arithmetic")


def structure(trial: Trial) -> str:
    """A digest of all that decides what a step of training computes, the sizes of the models that it reads included:
    trials that share it differ in numbers alone, and in whether they read test."""
    shared: dict[str, Any] = {key: value for key, value in trial.identity.items() if key not in _NUMBERS}
    models = {role: _network(model) for role, model in trial.models.items()}
    return digest({**shared, "reads_test": False, "fold": trial.fold, "models": models})


def subject(trial: Trial) -> str:
    """A digest of what a trial is about: its data, recipe and networks, those of the models that it reads included, and
    nothing of the code, the arithmetic or the numbers."""
    shared: dict[str, Any] = {key: value for key, value in trial.identity.items() if key not in (*_NUMBERS, "code")}
    return digest({**shared, "models": {role: _network(model) for role, model in trial.models.items()}})


def _network(model: Trial | Given) -> Any:
    return {"network": model.network} if isinstance(model, Given) else {"networks": model.networks}


def digest(value: object) -> str:
    """A name for any JSON value; equal values have equal names, in any key order and in any process."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
