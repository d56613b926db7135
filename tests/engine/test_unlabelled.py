"""Training where not every row has a label: alone, stacked and compiled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kdsweep.data.tensors import to_tensors
from kdsweep.data.views import Views, patterns
from kdsweep.engine.epochs import train_epoch
from kdsweep.engine.scoring import judged
from kdsweep.engine.single import Run
from kdsweep.engine.stacked.compile import has_compiler
from kdsweep.tasks import registry as tasks
from kdsweep.values.trial import Trial
from tests.helpers.trials import DATA, DEVICE, assert_equal, build, distilled, one, stacked, train, trial

# One of each kind of reader of labels: none beside ce, both parts of a row's logits, pairs of rows, a memory.
METHODS = ("student_only", "kd", "dkd", "supcon", "ccl", "crd", "amid")


def scarce(asked: Trial, share: float = 0.5) -> Trial:
    """The trial, and the models that it reads, with fewer labels."""
    models = {name: replace(model, drop_labels=share) for name, model in asked.auxiliaries.items()}
    taught = replace(asked.teacher, drop_labels=share) if isinstance(asked.teacher, Trial) else None
    return replace(asked, drop_labels=share, teacher=taught, auxiliaries=models)


@pytest.mark.parametrize("method", METHODS)
def test_a_pack_gives_what_each_gives_alone_and_the_plain_loop_agrees(method, trainer):
    plain = scarce(trial(reads_test=True) if method == "student_only" else distilled(method, reads_test=True))
    mine = stacked(plain)
    alone = trainer(mine)
    assert alone.state == "complete", alone.error
    others = [replace(mine, seed=seed, numbers={"train.lr": 0.001 * seed}) for seed in (2, 3)]
    assert_equal(alone, train([*others, mine], trainer)[mine.id])
    for role, weights in trainer(plain).weights.items():
        for name, value in weights.items():
            torch.testing.assert_close(alone.weights[role][name], value, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler here: nothing can be compiled")
def test_a_compiled_pack_agrees(trainer):
    mine = scarce(distilled("kd", reads_test=True))
    compiled = trainer(replace(mine, arithmetic="compiled@2"))
    assert compiled.state == "complete", compiled.error
    for name, value in trainer(stacked(mine)).weights["student"].items():
        torch.testing.assert_close(compiled.weights["student"][name], value, rtol=1e-3, atol=1e-4)


def test_labels_that_are_dropped_are_as_if_they_had_never_been_there(trainer, dataset):
    asked = trial(drop_labels=0.8, reads_test=True)
    rows = dataset.parts(DATA.split)["train"]
    poorer = dataset.without_labels(rows, 0.8)
    # A split that is drawn would be drawn anew without the labels.
    kept = replace(poorer, split=dataset.only(("train", "valid", "test"), (), DATA.split).split[_order(dataset, DATA)])
    assert_equal(trainer(asked), one(replace(asked, drop_labels=0.0), kept, lambda model, role: {}))


def _order(dataset, data):
    """Where each row of the dataset is among its parts, one after the other."""
    parts = dataset.parts(data.split)
    return np.argsort(np.concatenate([parts[part] for part in ("train", "valid", "test")]))


def test_a_teacher_speaks_of_rows_without_a_label(trainer):
    """And they are what the student learns from: without them it would be another student."""
    made, seen = build(scarce(distilled("kd")), trainer)
    assert not seen["train"].labelled.all()
    assert made.frozen["teacher"].present.all()


def test_smoothed_labels_teach_the_rows_that_have_one(trainer):
    asked = replace(distilled("kd", control="label_smoothing", drop_labels=0.5), teacher=None, distils_from="")
    made, seen = build(asked, trainer)
    assert torch.equal(made.frozen["teacher"].present, seen["train"].labelled)


def test_balanced_weights_count_the_rows_that_have_a_label(trainer):
    asked = trial(drop_labels=0.5)
    made, seen = build(replace(asked, train={**asked.train, "class_weights": "balanced"}), trainer)
    labels = seen["train"].labels[seen["train"].labelled]
    expected = tasks.load("classification").scores.balanced(labels, 3)
    assert torch.equal(made.objective["ce"].weights, expected)


def test_a_gallery_is_of_rows_that_have_a_label(trainer):
    asked = trial(drop_labels=0.5, task="retrieval", metric="recall_at_1")
    made, seen = build(asked, trainer)
    (found,) = judged(tasks.load("retrieval"), Run(asked, made, seen), "network", "valid")
    assert torch.equal(found.gallery.present, seen["train"].labelled)


class Recorder:
    """A training that only writes down which rows each batch has."""

    total, batch_size = 2, 20

    def __init__(self, train, share, trials):
        self.parts, self.labelled_share, self.trials, self.seen = {"train": train}, share, trials, []

    def update(self, rows, done, progress):
        self.seen.append(rows)
        return {}


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_every_batch_holds_the_share_of_labels_that_is_asked_for(share, dataset, trainer):
    _, seen = build(trial(drop_labels=0.8), trainer)
    part = seen["train"]
    recorder = Recorder(part, share, [trial(seed=seed) for seed in (1, 2)])
    train_epoch(recorder, 1)
    assert len(recorder.seen) == len(part) // 20
    for rows in recorder.seen:
        assert rows.shape == (2, 20)
        assert (part.labelled[rows].sum(1) == round(share * 20)).all()
    # Each row of a kind comes again only when all of them have come.
    every = torch.cat(recorder.seen, dim=1)
    for lane in every:
        for kind in (part.labelled, ~part.labelled):
            often = torch.bincount(lane, minlength=len(part))[kind]
            assert often.max() - often.min() <= 1
    assert not torch.equal(every[0], every[1])
    again = Recorder(part, None, recorder.trials)
    train_epoch(again, 1)
    assert len({int(part.labelled[rows].sum()) for rows in again.seen}) > 1


def test_mixup_blends_a_row_that_has_a_label_with_another_that_has_one(dataset):
    poorer = dataset.without_labels(np.arange(len(dataset)), 0.5)
    rows = to_tensors(poorer, ("plain",), DEVICE)
    views = Views({"mixup": {"alpha": 1.0}}, dataset.card.modalities)
    rngs = [views.streams(lambda *purpose: torch.Generator().manual_seed(7), 1)]
    every = torch.arange(len(rows))[None]
    partners, _ = views.partners(every, rngs, patterns(rows.present, rows.labelled))
    assert torch.equal(rows.labelled[partners[0]], rows.labelled)
