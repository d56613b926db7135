"""What a task measures of several networks at once, and what is kept of every test sample."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from kdsweep.engine.interface import Training
from kdsweep.tasks.base import Judged, Predictions, Task
from kdsweep.values.card import Part

AT_ONCE = 2**22  # scores of several networks measured together: they are wide for a moment


def judged(task: Task, training: Training, role: str, part: Part) -> list[Judged]:
    """What each member's network of a role says of a part, with the gallery where the task searches one."""
    outputs = training.outputs(role, part)
    if not task.searches:
        return [Judged(own, training.parts[part]) for own in outputs]
    galleries, train = training.outputs(role, "train"), training.parts["train"]
    if train.labelled is not None:
        # A row without a label is neither relevant nor irrelevant.
        galleries = [gallery._replace(present=gallery.present & train.labelled) for gallery in galleries]
    return [Judged(own, training.parts[part], of, train.labels) for own, of in zip(outputs, galleries, strict=True)]


def scores(task: Task, by_role: Mapping[str, Sequence[Judged]]) -> list[dict[str, float]]:
    """Each member's metrics: its network's, and "teacher_..." of a teacher that trains with it."""
    own = measure(task, by_role["network"])
    if "teacher" in by_role:
        for metrics, teacher in zip(own, measure(task, by_role["teacher"]), strict=True):
            metrics |= {f"teacher_{name}": value for name, value in teacher.items()}
    return own


def measure(task: Task, several: Sequence[Judged]) -> list[dict[str, float]]:
    """The task's metrics of each network, by name, over the rows that are present: the same rows for all.

    All of them NaN where there is no row, or where a network says something that is not finite: a comparison with NaN
    is false, so that no class would score above the true one and every row count as right.
    """
    most = max(1, AT_ONCE // max(1, several[0].outputs.logits.numel()))
    if len(several) > most:
        return [metrics for at in range(0, len(several), most) for metrics in measure(task, several[at : at + most])]
    there, labels = several[0].outputs.present, several[0].part.labels
    logits_KNC = torch.stack([judged.outputs.logits for judged in several])
    embeddings_KND = torch.stack([judged.outputs.embedding for judged in several])
    if not bool(there.all()):
        labels, logits_KNC, embeddings_KND = labels[there], logits_KNC[:, there], embeddings_KND[:, there]
    able = (_finite(logits_KNC) & _finite(embeddings_KND)).tolist() if len(labels) else [False] * len(several)
    nothing = dict.fromkeys(task.metrics, float("nan"))
    if not any(able):
        return [dict(nothing) for _ in several]
    if not all(able):
        logits_KNC = logits_KNC[able]
    seen = task.seen(list(itertools.compress(several, able)), logits_KNC, labels)
    columns = [list(map(float, metric.measure(seen))) for metric in task.metrics.values()]
    measured = (dict(zip(task.metrics, values, strict=True)) for values in zip(*columns, strict=True))
    return [next(measured) if fine else dict(nothing) for fine in able]


def _finite(values: Tensor) -> Tensor:
    """[K]: whether all of [K, ...] is. By the largest, which NaN is, too: asking each of them takes twenty times as
    long."""
    return torch.isfinite(values.flatten(1).abs().amax(dim=1))


def predictions(task: Task, judged: Judged) -> Predictions:
    """What the network says of every sample of the part that is present; intervals come of it."""
    there = judged.outputs.present.cpu().numpy()
    part, logits = judged.part, judged.outputs.logits.double().cpu().numpy()[there]
    labels = part.labels.cpu().numpy()[there]
    return {"sample": part.ids[there], "label": labels} | task.kept(judged, logits, labels)
