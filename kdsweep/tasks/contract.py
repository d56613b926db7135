"""What every task promises, as checks of one. `kdsweep.testing.check_task` asks them of a user's own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from kdsweep.tasks import labels as shared
from kdsweep.tasks.base import Array, Judged, Task

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

ROWS = 60


def labels_come_back_from_a_file(task: Task) -> None:
    """Labels of the task pass its check, and are read as they were written."""
    import pyarrow as pa

    labels, classes = task.labels.example(ROWS, np.random.default_rng(0))
    task.labels.check(labels, classes, _ids(), "here")
    read = task.labels.decode(pa.chunked_array([task.labels.encode(labels, classes)]), classes, "here")
    assert read.dtype == labels.dtype, f"wrote {labels.dtype}, read {read.dtype}"
    assert np.array_equal(read, labels)


def a_row_may_have_no_label(task: Task) -> None:
    """Rows without a label pass its check, are null in a file, come back without one, and count in no class."""
    import pyarrow as pa

    whole, classes = task.labels.example(ROWS, np.random.default_rng(0))
    gone = np.arange(0, ROWS, 3)
    labels = shared.without(whole, gone)
    task.labels.check(labels, classes, _ids(), "here")
    column = pa.chunked_array([task.labels.encode(labels, classes)])
    assert column.null_count == len(gone), f"{column.null_count} of {len(gone)} rows are null"
    read = task.labels.decode(column, classes, "here")
    assert read.dtype == labels.dtype, f"wrote {labels.dtype}, read {read.dtype}"
    assert np.array_equal(read, labels, equal_nan=labels.dtype.kind == "f")
    left = np.setdiff1d(np.arange(ROWS), gone)
    counts, others = (task.labels.counts(some, len(classes)) for some in (labels, whole[left]))
    assert (counts is None) == (others is None)
    assert counts is None or others is None or np.array_equal(counts, others), f"{counts}, not {others}"


def labels_are_counted_by_class_or_not_at_all(task: Task) -> None:
    """Counts are one a class, whose names a card holds, and strata one a row; None says that there are none."""
    labels, classes = task.labels.example(ROWS, np.random.default_rng(0))
    counts, strata = task.labels.counts(labels, len(classes)), task.labels.strata(labels)
    assert counts is None or counts.shape == (len(classes),), f"{counts} of {classes}"
    assert strata is None or strata.shape == (ROWS,)


def a_linear_model_has_a_score(task: Task) -> None:
    """The linear model of `data describe` learns the labels from features, and its score is finite."""
    labels, _ = task.labels.example(ROWS, np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(ROWS, 4))
    score = task.linear.score(task.linear.model(0.1).fit(x, labels), x, labels)
    assert np.isfinite(score), f"{task.linear.measure} is {score}"


def models_of_features_speak_as_a_network_does(task: Task) -> None:
    """Of each row one score a class, label or target, finite, be the model linear or an MLP."""
    labels, classes = task.labels.example(ROWS, np.random.default_rng(0))
    x = np.random.default_rng(1).normal(size=(ROWS, 4))
    for model in (task.linear.model(0.1), task.linear.mlp(4, passes=20)):
        with warnings.catch_warnings():
            # So few passes do not converge.
            warnings.simplefilter("ignore")
            logits = task.linear.logits(model.fit(x, labels), x, len(classes))
        assert logits.shape == (ROWS, len(classes)), f"scores have the shape {logits.shape}"
        assert np.isfinite(logits).all(), "a score is not finite"


def a_loss_is_of_each_row_alone(task: Task) -> None:
    """The supervised loss and the distillation of scores are finite, one value a row, and know no other row."""
    import torch

    labels, student, teacher = _scores(task)
    losses: dict[str, Callable[[Tensor], Tensor]] = {
        "loss": lambda rows: task.scores.loss(student[rows], labels[rows], smoothing=0.0, weights_C=None),
        "distil": lambda rows: task.scores.distil(student[rows], teacher[rows], 2.0),
    }
    every, some = torch.arange(ROWS), torch.arange(0, ROWS, 7)
    for name, loss in losses.items():
        together = loss(every)
        assert together.shape == (ROWS,), f"{name} has the shape {tuple(together.shape)} of {ROWS} rows"
        assert bool(torch.isfinite(together).all()), name
        assert torch.allclose(together[some], loss(some), atol=1e-5), name


def a_student_that_says_what_its_teacher_says_loses_nothing(task: Task) -> None:
    """The distillation of a teacher's scores into the same scores is 0."""
    import torch

    _, _, teacher = _scores(task)
    assert torch.allclose(task.scores.distil(teacher, teacher, 2.0), torch.zeros(ROWS), atol=1e-5)


def what_has_a_meaning_works(task: Task) -> None:
    """Smoothed labels are finite scores of every row, and balanced weights one a class, unless they are meaningless."""
    import torch

    labels, student, _ = _scores(task)
    if "label_smoothing" not in task.meaningless:
        smoothed = task.scores.smoothed(labels, student.shape[1], 0.1)
        assert smoothed.shape == student.shape
        assert bool(torch.isfinite(smoothed).all())
    if "class_weights" not in task.meaningless:
        weights_C = task.scores.balanced(labels, student.shape[1])
        assert weights_C.shape == student.shape[1:]
        assert task.scores.loss(student, labels, smoothing=0.1, weights_C=weights_C).shape == (ROWS,)


def metrics_know_no_other_network(task: Task) -> None:
    """Every metric has words and a finite value, to the last bit the same alone as beside other networks."""
    several = [_network(task, seed) for seed in range(3)]
    together, alone = _measured(task, several), [_measured(task, [one]) for one in several]
    for name, metric in task.metrics.items():
        assert metric.label, name
        assert np.isfinite(together[name]).all(), f"{name} is {together[name]}"
        assert together[name] == [one[name][0] for one in alone], name


def kept_predictions_give_the_metrics_back(task: Task) -> None:
    """A metric is the mean of kept samples' scores, or their jackknife's whole: nobody needs the model again."""
    network = _network(task, 0)
    kept, measured = _kept(task, network), _measured(task, [network])
    for name, metric in task.metrics.items():
        if metric.per_sample is not None:
            again = float(metric.per_sample(kept).mean())
        elif metric.jackknife is not None:
            again = metric.jackknife(kept, np.arange(ROWS), ROWS).whole
        else:
            assert not metric.tested, f"{name} is tested by unit, and has neither per_sample nor jackknife"
            continue
        # Scores may be kept in half precision.
        assert np.isclose(again, measured[name][0], rtol=1e-2, atol=1e-2), f"{name}: {again}, not {measured[name][0]}"


def a_jackknife_is_the_metric_without_each_unit(task: Task) -> None:
    """Without a unit, whether of one sample or of several, a metric is that of the others."""
    kept = _kept(task, _network(task, 0))
    for name, metric in task.metrics.items():
        if metric.jackknife is None:
            continue
        for size in (1, 5):
            units = np.arange(ROWS) // size
            without = metric.jackknife(kept, units, ROWS // size).without
            rest = kept[units != 2].reset_index(drop=True)
            others = metric.jackknife(rest, np.arange(len(rest)), len(rest)).whole
            assert np.isclose(without[2], others), f"{name} without a unit of {size}: {without[2]}, not {others}"


def a_constant_answer_is_no_better_than_its_chance(task: Task) -> None:
    """Chance is finite, and on its side of every metric: a network that ignores its input does no better."""
    kept = _kept(task, _network(task, 0))
    rest = _kept(task, _network(task, 0, constant=True))
    for name, metric in task.metrics.items():
        if metric.chance is None or task.searches:
            continue
        chance = metric.chance(kept)
        assert np.isfinite(chance), name
        assert np.isclose(chance, metric.chance(rest)), f"{name}: chance is of the labels alone"
        if metric.per_sample is not None:
            scored = float(metric.per_sample(rest).mean())
        elif metric.jackknife is not None:
            scored = metric.jackknife(rest, np.arange(ROWS), ROWS).whole
        else:
            continue
        behind = chance - scored if metric.maximize else scored - chance
        # Scores may be kept in half precision.
        assert behind >= -1e-2 * max(1.0, abs(chance)), f"{name}: a constant answer scores {scored}, chance is {chance}"


CHECKS = (
    labels_come_back_from_a_file,
    a_row_may_have_no_label,
    labels_are_counted_by_class_or_not_at_all,
    a_linear_model_has_a_score,
    models_of_features_speak_as_a_network_does,
    a_loss_is_of_each_row_alone,
    a_student_that_says_what_its_teacher_says_loses_nothing,
    what_has_a_meaning_works,
    metrics_know_no_other_network,
    kept_predictions_give_the_metrics_back,
    a_jackknife_is_the_metric_without_each_unit,
    a_constant_answer_is_no_better_than_its_chance,
)


def _ids() -> Array:
    return np.array([f"s{row}" for row in range(ROWS)])


def _scores(task: Task) -> tuple[Tensor, Tensor, Tensor]:
    """Labels, and a student's and a teacher's scores."""
    import torch

    labels, classes = task.labels.example(ROWS, np.random.default_rng(0))
    student, teacher = torch.randn(2, ROWS, len(classes), generator=torch.Generator().manual_seed(0))
    return torch.as_tensor(labels), student, teacher


def _network(task: Task, seed: int, *, constant: bool = False) -> Judged:
    """What a network says of sixty rows that are its own gallery; a constant one says the same of each."""
    import torch

    labels, classes = task.labels.example(ROWS, np.random.default_rng(0))
    rng = torch.Generator().manual_seed(seed)
    outputs: Any = SimpleNamespace(
        logits=torch.randn(1 if constant else ROWS, len(classes), generator=rng).expand(ROWS, -1),
        embedding=torch.randn(ROWS, 4, generator=rng),
        present=torch.ones(ROWS, dtype=torch.bool),
    )
    part: Any = SimpleNamespace(labels=torch.as_tensor(labels), ids=_ids())
    return Judged(outputs, part, outputs, part.labels)


def _measured(task: Task, several: list[Judged]) -> dict[str, list[float]]:
    import torch

    logits_KNC = torch.stack([one.outputs.logits for one in several])
    seen = task.seen(several, logits_KNC, several[0].part.labels)
    return {name: list(map(float, metric.measure(seen))) for name, metric in task.metrics.items()}


def _kept(task: Task, judged: Judged) -> pd.DataFrame:
    import pandas as pd

    labels = judged.part.labels.numpy()
    columns = {"label": labels} | task.kept(judged, judged.outputs.logits.double().numpy(), labels)
    return pd.DataFrame({name: list(column) for name, column in columns.items()})
