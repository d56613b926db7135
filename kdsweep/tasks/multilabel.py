"""Each row has several labels, yes or no. N rows, B rows of a batch, C labels, K networks, I test units."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdsweep.tasks import labels as shared
from kdsweep.tasks.base import Array, Jackknife, Judged, Labelled, Metric, Predictions, Task
from kdsweep.tasks.jackknife import of_sums, stacked

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from torch import Tensor

NAME = "multilabel"
# Between the names of several labels in one cell of a table.
BETWEEN = ";"


class Flags:
    """0 or 1 for each label: float32 [N, C]."""

    note = "A row of several classes counts in each."

    def check(self, labels: Array, classes: Sequence[str], ids: Array, where: str) -> None:
        shared.check_width(labels, NAME, classes, ids, where)
        shared.check_values(~np.isin(labels, (0, 1)), "a label of several is 0 or 1", labels, classes, ids, where)
        shared.check_counts(self.counts(labels, len(classes)), lambda label: labels[:, label] == 1, classes, ids, where)

    def encode(self, labels: Array, classes: Sequence[str]) -> pa.Array:
        import pyarrow as pa

        names = [
            [classes[int(label)] for label in np.flatnonzero(row)] if there else None
            for row, there in zip(labels, shared.labelled(labels), strict=True)
        ]
        return pa.array(names, pa.list_(pa.string()))

    def decode(self, column: pa.ChunkedArray, classes: Sequence[str], where: str) -> Array:
        told = column.to_pylist()
        named = [names if isinstance(names, list) else [] if names is None else [names] for names in told]
        labels = shared.flags(shared.stored(named, classes, where), len(classes))
        return shared.without(labels, np.flatnonzero([names is None for names in told]))

    def read(
        self, values: Sequence[Any], ids: Sequence[str], *, where: str, columns: Sequence[str], classes: Sequence[str]
    ) -> Labelled:
        """Values are names, as a list or as a text with ";" between them, or 0 and 1 for each label."""
        if not isinstance(values[0], str) and _is_numbers(values[0]):
            rule = "several labels are a list of names, or 0 or 1 for each class"
            rows = shared.read_numbers(values, ids, rule, where)
            for row in np.flatnonzero(~np.isin(rows, (0, 1)).all(1)):
                raise ValueError(f"{where}: {rule}, got {rows[row].tolist()} in the row {ids[int(row)]!r}")
            return Labelled(rows, shared.name_columns(rows.shape[1], columns, classes, "class", where))
        shared.check_named(values, ids, where)
        numbers, known = shared.imported([_names(value) for value in values], ids, classes, where)
        return Labelled(shared.flags(numbers, len(known)), known)

    def counts(self, labels: Array, classes: int) -> Array:
        counts: Array = labels[shared.labelled(labels)].sum(0).astype(int)
        return counts

    def strata(self, labels: Array) -> None:
        """Sets of labels are too many for strata."""

    def example(self, rows: int, rng: np.random.Generator) -> Labelled:
        labels = np.arange(rows)[:, None] % np.array([2, 3, 4]) == 0
        return Labelled(rng.permutation(labels).astype(np.float32), ("a", "b", "c"))


def _is_numbers(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "iufb" and np.size(value) > 0


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [name.strip() for name in value.split(BETWEEN) if name.strip()]
    return [shared.text(name) for name in value]


class Sigmoids:
    """Scores whose sigmoids are the probabilities of a yes, label by label."""

    softmax = False
    tempered = True

    def loss(self, scores_BC: Tensor, labels: Tensor, *, smoothing: float, weights_C: Tensor | None) -> Tensor:
        """The mean of the labels' binary cross entropies."""
        import torch

        target_BC = labels * (1 - smoothing) + smoothing / 2
        loss_BC = torch.nn.functional.binary_cross_entropy_with_logits(scores_BC, target_BC, reduction="none")
        weight = torch.where(labels > 0, weights_C, 1.0) if weights_C is not None else 1.0
        return (weight * loss_BC).mean(1)

    def distil(self, student_BC: Tensor, teacher_BC: Tensor, temperature: Tensor | float) -> Tensor:
        """T^2 KL(teacher || student) of yes and no at temperature T, mean over the labels."""
        import torch
        from torch.nn.functional import logsigmoid

        kl_BC = torch.zeros_like(student_BC)
        for sign in (1.0, -1.0):
            log_p_BC, log_q_BC = (logsigmoid(sign * scores / temperature) for scores in (student_BC, teacher_BC))
            kl_BC = kl_BC + log_q_BC.exp() * (log_q_BC - log_p_BC)
        return temperature**2 * kl_BC.mean(1)

    def smoothed(self, labels: Tensor, classes: int, smoothing: float) -> Tensor:
        """Each label is one of two, yes or no: the logit of its smoothed probability."""
        import torch

        return torch.logit(labels * (1 - smoothing) + smoothing / 2)

    def balanced(self, labels: Tensor, classes: int) -> Tensor:
        """Of a yes: (N - n_c) / n_c; 1 for what never occurs."""
        import torch

        count_C = labels.sum(0)
        return torch.where(count_C > 0, (len(labels) - count_C) / count_C.clamp(min=1), 1.0)


class OneVsRest:
    """A logistic regression for each label."""

    measure = "mean average precision"

    def model(self, strength: float) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.multiclass import OneVsRestClassifier

        return OneVsRestClassifier(LogisticRegression(C=strength, max_iter=200, tol=1e-3))

    def score(self, model: Any, x: Array, labels: Array) -> float:
        from sklearn.metrics import average_precision_score

        p, occurs = model.predict_proba(x), np.flatnonzero(labels.any(0))
        return float(np.mean([average_precision_score(labels[:, label], p[:, label]) for label in occurs]))

    def mlp(self, width: int, *, passes: int) -> Any:
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(hidden_layer_sizes=(width,), max_iter=passes, random_state=0)

    def logits(self, model: Any, x: Array, classes: int) -> Array:
        p = np.clip(model.predict_proba(x), 1e-12, 1 - 1e-12).reshape(len(x), classes)
        return np.asarray(np.log(p) - np.log1p(-p))


@dataclass(frozen=True)
class Seen:
    """What K networks say of N rows; a label is said from a probability of .5 on."""

    scores_KNC: Tensor
    labels_NC: Tensor

    @functools.cached_property
    def arrays(self) -> list[Array]:
        return [scores_NC.cpu().numpy() for scores_NC in self.scores_KNC]

    @functools.cached_property
    def truth_NC(self) -> Array:
        return self.labels_NC.cpu().numpy().astype(int)


def seen(judged: Sequence[Judged], logits_KNC: Tensor, labels: Tensor) -> Seen:
    return Seen(logits_KNC.double(), labels.double())


def kept(judged: Judged, logits: Array, labels: Array) -> Predictions:
    """What is said, and the scores: in half precision some would tie that do not."""
    return {"prediction": (logits > 0).astype(np.float32), "logits": logits.astype(np.float32)}


# --- metrics of networks


def _macro_ap(seen: Seen) -> list[float]:
    """Over the labels that occur."""
    from sklearn.metrics import average_precision_score

    occurs = seen.truth_NC.any(0)
    if not occurs.any():
        return [float("nan") for _ in seen.arrays]
    return [float(average_precision_score(seen.truth_NC[:, occurs], scores[:, occurs])) for scores in seen.arrays]


def _f1(seen: Seen, average: str) -> list[float]:
    from sklearn.metrics import f1_score

    with warnings.catch_warnings():
        # A label that neither occurs nor is said has no F1, and counts as 0 by the argument below.
        warnings.simplefilter("ignore")
        return [
            float(f1_score(seen.truth_NC, (scores > 0).astype(int), average=average, zero_division=0))
            for scores in seen.arrays
        ]


def _log_loss(seen: Seen) -> list[float]:
    import torch

    loss = torch.nn.functional.binary_cross_entropy_with_logits
    return [float(loss(scores_NC, seen.labels_NC)) for scores_NC in seen.scores_KNC]


# --- metrics of kept predictions


def _log_loss_each(predictions: pd.DataFrame) -> Array:
    x, y = stacked(predictions, "logits"), stacked(predictions, "label")
    # log(1 + e^x) - x y, without an overflow.
    return np.asarray((np.logaddexp(0, x) - x * y).mean(1))


def _counts(predictions: pd.DataFrame) -> Array:
    """[N, 3, C]: said and true, true, said."""
    y, said = stacked(predictions, "label"), stacked(predictions, "prediction")
    return np.stack([y * said, y, said], axis=1)


def _macro_f1(sums: Array) -> Array:
    both, true, said = np.moveaxis(sums, -2, 0)
    f1: Array = (2 * both / np.maximum(true + said, 1)).mean(-1)
    return f1


def _micro_f1(sums: Array) -> Array:
    both, true, said = np.moveaxis(sums.sum(-1), -1, 0)
    f1: Array = 2 * both / np.maximum(true + said, 1)
    return f1


def _macro_ap_without(predictions: pd.DataFrame, units: NDArray[np.intp], count: int) -> Jackknife:
    """Over the labels that occur in the whole test part."""
    x, y = stacked(predictions, "logits"), stacked(predictions, "label") > 0
    occurring = np.flatnonzero(y.any(0))
    if not len(occurring):
        return Jackknife(float("nan"), np.full(count, np.nan))
    alone = count == len(units)
    of_each = [_average_precision(x[:, c], y[:, c], units, count, alone=alone) for c in occurring]
    return Jackknife(float(np.mean([one.whole for one in of_each])), np.mean([one.without for one in of_each], axis=0))


def _average_precision(
    scores: Array, true: NDArray[np.bool_], units: NDArray[np.intp], count: int, *, alone: bool
) -> Jackknife:
    """Equal scores are one threshold, as scikit-learn has it."""
    if not alone:
        rest = [_precision(scores[units != unit], true[units != unit]) for unit in range(count)]
        return Jackknife(_precision(scores, true), np.array(rest))
    threshold, hits, above, until = _thresholds(scores, true)
    total = hits.sum()
    # Without a sample its own threshold and those below have one row fewer, and, where it was true, one hit fewer.
    before = np.concatenate([[0.0], (hits * above / until).cumsum()])[:-1]
    fewer = np.maximum(until - 1, 1)

    def below(values: Array) -> Array:
        return np.asarray(values[::-1].cumsum()[::-1] - values)

    without_true = before + (hits - 1) * (above - 1) / fewer + below(hits * (above - 1) / fewer)
    without_false = before + hits * above / fewer + below(hits * above / fewer)
    without = np.empty(count)
    without[units] = np.where(
        true, without_true[threshold] / max(total - 1, 1), without_false[threshold] / max(total, 1)
    )
    return Jackknife(_precision(scores, true), without)


def _thresholds(scores: Array, true: NDArray[np.bool_]) -> tuple[NDArray[np.intp], Array, Array, Array]:
    """Each sample's threshold, from the highest; and of each threshold its hits, and hits and rows down to it."""
    values, threshold = np.unique(-scores, return_inverse=True)
    hits: Array = np.bincount(threshold, weights=true.astype(float), minlength=len(values)).astype(float)
    until: Array = np.bincount(threshold, minlength=len(values)).cumsum().astype(float)
    return threshold.astype(np.intp), hits, hits.cumsum(), until


def _precision(scores: Array, true: NDArray[np.bool_]) -> float:
    _, hits, above, until = _thresholds(scores, true)
    return float((hits * above / until).sum() / hits.sum()) if hits.sum() else 0.0


# --- of the best constant answer


def _rates(predictions: pd.DataFrame) -> Array:
    """[C]: how often each label is true."""
    rates: Array = stacked(predictions, "label").mean(0)
    return rates


def _entropy(rates: Array) -> float:
    inside = np.clip(rates, 1e-12, 1 - 1e-12)
    return float(-(inside * np.log(inside) + (1 - inside) * np.log(1 - inside)).mean())


def _constant_micro_f1(rates: Array) -> float:
    """Of saying the k most frequent labels of every row, for the best k."""
    said = np.arange(1, len(rates) + 1)
    return float((2 * np.sort(rates)[::-1].cumsum() / (rates.sum() + said)).max())


METRICS = {
    "macro_ap": Metric(
        "mAP over labels",
        _macro_ap,
        jackknife=_macro_ap_without,
        chance=lambda predictions: float((rates := _rates(predictions))[rates > 0].mean()),
        by_class=True,
    ),
    "macro_f1": Metric(
        "macro F1",
        lambda seen: _f1(seen, "macro"),
        jackknife=of_sums(_counts, _macro_f1),
        chance=lambda predictions: float((2 * (rates := _rates(predictions)) / (1 + rates)).mean()),
        by_class=True,
    ),
    "micro_f1": Metric(
        "micro F1",
        lambda seen: _f1(seen, "micro"),
        jackknife=of_sums(_counts, _micro_f1),
        chance=lambda predictions: _constant_micro_f1(_rates(predictions)),
    ),
    "log_loss": Metric(
        "log loss",
        _log_loss,
        maximize=False,
        scale=1.0,
        unit="nats",
        per_sample=_log_loss_each,
        chance=lambda predictions: _entropy(_rates(predictions)),
    ),
}
TASK = Task(
    NAME,
    METRICS,
    Flags(),
    Sigmoids(),
    OneVsRest(),
    seen,
    kept,
    meaningless={
        "shuffled_within_class": "rows with the very same labels are few: nearly nothing would move",
    },
)
