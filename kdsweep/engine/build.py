"""A trial's networks, data and objective, built from its description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdsweep import methods
from kdsweep.data.dataset import Dataset, stand_in
from kdsweep.data.scaling import Scaling, of_part
from kdsweep.data.tensors import Tensors, to_tensors
from kdsweep.data.views import Views
from kdsweep.engine.frozen import FrozenModel, Recall, ask, columns, smoothed_labels, stored, together
from kdsweep.engine.streams import seed_of, stream
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.networks.network import build
from kdsweep.objective.base import Objective
from kdsweep.objective.batch import Outputs, Sizes
from kdsweep.tasks import registry as tasks
from kdsweep.values.card import Card, Part
from kdsweep.values.control import control
from kdsweep.values.study import Data
from kdsweep.values.trial import Given, Trial

Weights = Callable[[Trial | Given, str], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Models:
    """What one trial trains, and what it reads.

    Attributes:
        network: the one in training, whose score is the trial's.
        teacher: a teacher that trains inside the trial, None elsewhere.
        auxiliaries: auxiliary models that train inside the trial, by modality.
        objective: with the trial's numbers set and its modules made.
        frozen: the Outputs of frozen models for every row of the training part: "teacher", and by modality.
        frozen_test: the same for test, where the trial reads it.
        teacher_head: of the teacher, frozen or not, where it has one.
        live: frozen models that have to be asked at every step, because what they read is augmented, by role.
        views: what the trial's augmentations do.
    """

    network: Network
    teacher: Network | None
    auxiliaries: Mapping[str, Network]
    objective: Objective
    frozen: Mapping[str, Outputs]
    frozen_test: Mapping[str, Outputs]
    teacher_head: Callable[[Tensor], Tensor] | None
    live: Mapping[str, Network]
    views: Views

    @property
    def trained(self) -> dict[str, Network]:
        """All that trains inside the trial: "network", "teacher" where it does, and "auxiliary <modality>"."""
        teacher = {"teacher": self.teacher} if self.teacher is not None else {}
        return {
            "network": self.network,
            **teacher,
            **{f"auxiliary {n}": model for n, model in self.auxiliaries.items()},
        }

    @property
    def read(self) -> tuple[str, ...]:
        """The modalities that a step looks at: those of the networks in training and of live models, and their views'.

        What frozen models have said is there already.
        """
        asked = [name for network in (*self.trained.values(), *self.live.values()) for name in network.names]
        return tuple(dict.fromkeys([*asked, *self.views.steps]))


def parts(trial: Trial, dataset: Dataset, data: Data, device: torch.device) -> dict[Part, Tensors]:
    """The parts that a trial may see, less what its control, `drop_auxiliary` or `drop_labels` takes away; test if it
    reads it."""
    seen: list[Part] = ["train", "valid", "test"] if trial.reads_test else ["train", "valid"]
    modalities = (*trial.student, *trial.auxiliary, *columns(trial).values())
    dataset = dataset.only(seen, modalities, data.split, trial.fold)
    rows = {part: np.flatnonzero(dataset.split == part) for part in seen}
    broken = control(trial.control)
    if broken.inputs == "student":
        dataset = dataset.student_only(trial.student, trial.auxiliary)
    if broken.inputs == "shuffled":
        seed = seed_of(0, "shuffled within class", trial.rows["train"])
        dataset = dataset.shuffled_within_class(rows["train"], trial.auxiliary, seed)
    if trial.drop_auxiliary:
        # Drawn from the rows' own digest: which rows lose out is decided by the trial's identity and nothing else.
        seed = seed_of(0, "drop auxiliary", trial.rows["train"])
        dataset = dataset.without_auxiliary(rows["train"], trial.auxiliary, trial.drop_auxiliary, seed)
    if trial.drop_labels:
        # Last: a control may know what the trial does not.
        dataset = dataset.without_labels(rows["train"], trial.drop_labels)
    chosen = {part: dataset.select(rows[part]) for part in seen}
    scaling: dict[str, Scaling] = {}
    if trial.standardise:
        # Under a control another kind of modality may stand in an auxiliary one's place: the dataset's own card knows.
        kinds = dataset.card.modalities
        scaling = {name: of_part(chosen["train"], name, kinds[name]) for name in (*trial.student, *trial.auxiliary)}
    return {part: to_tensors(selection, modalities, device, scaling) for part, selection in chosen.items()}


def card_of(trial: Trial, card: Card) -> Card:
    """The dataset's card as this trial sees it."""
    return stand_in(card, trial.student, trial.auxiliary) if control(trial.control).inputs == "student" else card


def network(trial: Trial, role: str, card: Card) -> Network:
    """The network of one role, with this trial's initial weights for it."""
    specification: Mapping[str, Any] = trial.networks[role]
    classes = len(card.classes)
    with stream(trial.seed, role):
        if role == "student":
            return build(specification, card_of(trial, card), needs=trial.student, classes=classes)
        if role == "teacher":
            return build(
                specification, card_of(trial, card), needs=trial.student, any_of=trial.auxiliary, classes=classes
            )
        return build(specification, card_of(trial, card), needs=(role,), classes=classes)


def objective(trial: Trial) -> Objective:
    """The trial's sum of terms, with its numbers."""
    built: Objective = methods.load(trial.method).build(dict(trial.choices), trial.dropped)
    return built.set({name: float(value) for name, value in trial.numbers.items() if not name.startswith("train.")})


def recipe(trial: Trial) -> dict[str, Any]:
    """The training recipe with the searched numbers in it."""
    searched = {name[6:]: value for name, value in trial.numbers.items() if name.startswith("train.")}
    return {**trial.train, **searched}


def models(
    trial: Trial,
    card: Card,
    train: Tensors,
    weights: Weights,
    *,
    device: torch.device,
    workers: Workers,
    test: Tensors | None = None,
    frozen_before: dict[str, FrozenModel] | None = None,
    recall: Recall = lambda model, part, compute: compute(),
) -> Models:
    """Everything that the trial trains and reads, on a device.

    Args:
        weights: the stored weights of a trained model and role.
        test: the test part, for a trial that reads it.
        frozen_before: what frozen models have said already, by id: members of a pack share them.
        recall: what a frozen model says of a part, where somebody has computed it before.
    """
    method = methods.load(trial.method)
    joint = method.teacher(trial.choices) == "joint"
    own = network(trial, trial.trains, card).to(device)
    teacher = network(trial, "teacher", card).to(device) if joint else None
    trained_here = method.auxiliary(trial.choices) == "joint"
    auxiliaries = {name: network(trial, name, card).to(device) for name in trial.auxiliary} if trained_here else {}

    shared = frozen_before if frozen_before is not None else {}
    for model in trial.models.values():
        if isinstance(model, Given) and model.kind == "outputs":
            tested = stored(model, test) if test is not None else None
            shared[model.id] = FrozenModel(stored(model, train), tested, None)
        elif model.id not in shared:
            own_network = frozen(model, trial, card, weights).to(device)
            shared[model.id] = ask(own_network, train, test, workers, partial(recall, model))
    frozen_models = {role: shared[model.id] for role, model in trial.models.items()}
    # Under this control the teacher sees what the student sees, and not another view of it.
    broken = control(trial.control)
    stands_in = broken.inputs == "student"
    copies = dict.fromkeys(trial.auxiliary, trial.student[0]) if stands_in and trial.student else {}
    views = Views(trial.augment, card_of(trial, card).modalities, copies)
    taught = (
        teacher if teacher is not None else frozen_models["teacher"].network if "teacher" in frozen_models else None
    )
    head = taught.to_logits if taught is not None else None
    if broken.teacher == "untrained" and teacher is not None:
        frozen_models["teacher"], teacher = ask(teacher.eval().requires_grad_(False), train, test, workers), None
    outputs = {role: of.train for role, of in frozen_models.items()}
    of_test = {role: of.test for role, of in frozen_models.items() if of.test is not None}
    if trial.distils_from == "unimodal":
        for some in (outputs, of_test) if test is not None else (outputs,):
            some["teacher"] = together([some[name] for name in trial.auxiliaries])
    if broken.teacher == "labels":
        outputs["teacher"] = smoothed_labels(train, len(card.classes), own.embedding, tasks.load(trial.task))

    built = objective(trial)
    sizes = Sizes(
        student=own.embedding,
        classes=len(card.classes),
        samples=len(train),
        teacher=_width(teacher, outputs.get("teacher")),
        auxiliary={name: _width(auxiliaries.get(name), outputs.get(name)) for name in trial.auxiliary},
        features=_features(own, teacher, outputs.get("teacher")),
        labels=train.labels.cpu(),
        task=trial.task,
        smoothing=float(trial.train["label_smoothing"]),
        balanced=trial.train["class_weights"] == "balanced",
        mixed=views.alpha is not None,
        labelled=train.labelled.cpu() if train.labelled is not None else None,
    )
    built.setup(sizes, lambda name: stream(trial.seed, "term", name))
    models_read = {role: of.network for role, of in frozen_models.items() if of.network is not None}
    live = {role: model for role, model in models_read.items() if views.change(model.names)}
    return Models(own, teacher, auxiliaries, built.to(device), outputs, of_test, head, live, views)


def frozen(model: Trial | Given, reader: Trial, card: Card, weights: Weights) -> Network:
    """A trained model, for reading only. A given teacher sees what its reader's teacher would see."""
    role = model.trains if isinstance(model, Trial) else "teacher"
    trained = network(_trained(model, reader), role, card)
    trained.load_state_dict(dict(weights(model, role)))
    return trained.eval().requires_grad_(False)


def initial(reader: Trial, card: Card) -> Weights:
    """Initial weights in the place of the stored ones of the models that a trial reads: where only sizes matter."""
    return lambda model, role: network(_trained(model, reader), role, card).state_dict()


def _trained(model: Trial | Given, reader: Trial) -> Trial:
    return model if isinstance(model, Trial) else replace(reader, networks={"teacher": model.network})


def _width(network: Network | None, outputs: Outputs | None) -> int:
    if network is not None:
        return network.embedding
    return outputs.embedding.shape[1] if outputs is not None else 0


def _features(student: Network, teacher: Network | None, outputs: Outputs | None) -> dict[str, tuple[int, ...]]:
    shapes = {f"student.{name}": shape for name, shape in student.features.items()}
    if teacher is not None:
        return shapes | {f"teacher.{name}": shape for name, shape in teacher.features.items()}
    if outputs is not None:
        return shapes | {f"teacher.{name}": tuple(feature.shape[1:]) for name, feature in outputs.features.items()}
    return shapes
