"""Each row is of one class. N rows, B rows of a batch, C classes, K networks, I test units.

Metrics are written out, with scikit-learn as the reference in the tests: they are measured for each member of a pack
after every epoch.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdsweep.tasks import labels as shared
from kdsweep.tasks.base import Array, Jackknife, Judged, Labelled, Metric, Predictions, Task
from kdsweep.tasks.jackknife import stacked

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from torch import Tensor

BINS = 15  # of the calibration error
BLOCK = 500  # units left out at once: [500, 3, C] counts stay small with a thousand classes


class Classes:
    """Whole numbers [N], the places of the classes' names."""

    note = ""

    def check(self, labels: Array, classes: Sequence[str], ids: Array, where: str) -> None:
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            rule = f"labels are whole numbers, one a row, got {labels.dtype} of shape {labels.shape}"
            raise ValueError(f"{where}: {rule}")
        wrong, rule = (labels < 0) | (labels >= len(classes)), f"a label is a class, from 0 to {len(classes) - 1}"
        shared.check_values(wrong, rule, labels, classes, ids, where)
        shared.check_counts(self.counts(labels, len(classes)), lambda label: labels == label, classes, ids, where)

    def encode(self, labels: Array, classes: Sequence[str]) -> pa.Array:
        import pyarrow as pa

        names = [
            classes[label] if there else None for label, there in zip(labels, shared.labelled(labels), strict=True)
        ]
        return pa.array(names, pa.string())

    def decode(self, column: pa.ChunkedArray, classes: Sequence[str], where: str) -> Array:
        named = [[] if name is None else [name] for name in column.to_pylist()]
        numbers = shared.stored(named, classes, where)
        return np.array([label[0] if label else shared.NO_CLASS for label in numbers], dtype=np.int64)

    def read(
        self, values: Sequence[Any], ids: Sequence[str], *, where: str, columns: Sequence[str], classes: Sequence[str]
    ) -> Labelled:
        """Values are names or numbers."""
        shared.check_named(values, ids, where)
        numbers, known = shared.imported([[shared.text(value)] for value in values], ids, classes, where)
        return Labelled(np.array([label for (label,) in numbers], dtype=np.int64), known)

    def counts(self, labels: Array, classes: int) -> Array:
        return np.bincount(labels[shared.labelled(labels)], minlength=classes)

    def strata(self, labels: Array) -> Array:
        return labels

    def example(self, rows: int, rng: np.random.Generator) -> Labelled:
        return Labelled(rng.permutation(np.arange(rows) % 3), ("a", "b", "c"))


class Softmax:
    """Scores whose softmax are the probabilities of the classes."""

    softmax = True
    tempered = True

    def loss(self, scores_BC: Tensor, labels: Tensor, *, smoothing: float, weights_C: Tensor | None) -> Tensor:
        """The negative log likelihood of the true class."""
        from kdsweep.objective.numerics import log_softmax, negative_log_likelihood

        loss_B = negative_log_likelihood(scores_BC, labels)
        if smoothing:
            spread_B = -log_softmax(scores_BC).mean(1)
            loss_B = (1 - smoothing) * loss_B + smoothing * spread_B
        return loss_B if weights_C is None else weights_C[labels] * loss_B

    def distil(self, student_BC: Tensor, teacher_BC: Tensor, temperature: Tensor | float) -> Tensor:
        """T^2 KL(teacher || student) at temperature T."""
        from kdsweep.objective.numerics import soft_cross_entropy

        return soft_cross_entropy(student_BC, teacher_BC, temperature)

    def smoothed(self, labels: Tensor, classes: int, smoothing: float) -> Tensor:
        """The log of the smoothed one-hot vectors."""
        import torch

        p = torch.full((len(labels), classes), smoothing / classes, device=labels.device)
        p[torch.arange(len(labels)), labels] += 1 - smoothing
        return p.log()

    def balanced(self, labels: Tensor, classes: int) -> Tensor:
        """N / (C n_c), so that the mean weight of the training rows is 1; 1 for what never occurs."""
        import torch

        count_C = torch.bincount(labels, minlength=classes).float()
        return torch.where(count_C > 0, len(labels) / (classes * count_C.clamp(min=1)), 1.0)


class Logistic:
    """Logistic regression."""

    measure = "accuracy"

    def model(self, strength: float) -> Any:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(C=strength, max_iter=200, tol=1e-3)

    def score(self, model: Any, x: Array, labels: Array) -> float:
        return float(model.score(x, labels))

    def mlp(self, width: int, *, passes: int) -> Any:
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(hidden_layer_sizes=(width,), max_iter=passes, random_state=0)

    def logits(self, model: Any, x: Array, classes: int) -> Array:
        """The log of the probabilities; a class without a training row has next to none."""
        p = np.zeros((len(x), classes))
        p[:, model.classes_] = model.predict_proba(x)
        return np.log(np.maximum(p, 1e-12))


@dataclass(frozen=True)
class Seen:
    """What K networks say of N rows, and what several metrics make of it."""

    log_p_KNC: Array
    truth_N: Array

    @property
    def classes(self) -> int:
        return int(self.log_p_KNC.shape[2])

    @functools.cached_property
    def guess_KN(self) -> NDArray[np.int64]:
        guess_KN: NDArray[np.int64] = self.log_p_KNC.argmax(2)
        return guess_KN

    @functools.cached_property
    def hit_KN(self) -> NDArray[np.bool_]:
        hit_KN: NDArray[np.bool_] = self.guess_KN == self.truth_N
        return hit_KN

    @functools.cached_property
    def ranks_KN(self) -> NDArray[np.int64]:
        return label_ranks(self.log_p_KNC, self.truth_N)

    @functools.cached_property
    def there_C(self) -> Array:
        """How many rows are of each class."""
        return np.bincount(self.truth_N, minlength=self.classes)

    @functools.cached_property
    def right_KC(self) -> Array:
        """How many of them are recognised."""
        return counted(np.where(self.hit_KN, self.guess_KN, self.classes), self.classes + 1)[:, : self.classes]


def seen(judged: Sequence[Judged], logits_KNC: Tensor, labels: Tensor) -> Seen:
    import torch

    return Seen(torch.log_softmax(logits_KNC.double(), dim=2).cpu().numpy(), labels.cpu().numpy())


def kept(judged: Judged, logits: Array, labels: Array) -> Predictions:
    """Class scores in half precision, their largest, and how many are above the true class's."""
    furthest = float(np.finfo(np.float16).max)
    narrow = logits.clip(-furthest, furthest).astype(np.float16)
    return {"logits": narrow, "prediction": np.argmax(logits, axis=1), "rank": label_ranks(logits, labels)}


def label_ranks(scores: Array, labels: Array) -> NDArray[np.int64]:
    """[..., N]: how many classes of scores [..., N, C] are above the true one; of equal ones the lower class is, as in
    argmax."""
    own = scores[..., np.arange(len(labels)), labels][..., None]
    lower = np.arange(scores.shape[-1]) < labels[:, None]
    above: NDArray[np.int64] = ((scores > own) | ((scores == own) & lower)).sum(-1)
    return above


def counted(values_KN: Array, kinds: int, weights_KN: Array | None = None) -> Array:
    """[K, kinds]: how often each of the values 0 to kinds - 1 is in each row, or the sum of the weights at it."""
    several = len(values_KN)
    apart = values_KN + kinds * np.arange(several)[:, None]
    weights = None if weights_KN is None else weights_KN.ravel()
    counts: Array = np.bincount(apart.ravel(), weights, minlength=several * kinds).reshape(several, kinds)
    return counts


# --- metrics of networks


def _macro_f1(seen: Seen) -> list[Any]:
    # As scikit-learn does: over the classes among labels or predictions.
    either_KC = seen.there_C + counted(seen.guess_KN, seen.classes)
    return [
        (2 * right / np.maximum(own, 1))[own > 0].mean() for right, own in zip(seen.right_KC, either_KC, strict=True)
    ]


def _uar(seen: Seen) -> list[Any]:
    there = seen.there_C > 0
    return [(right / np.maximum(seen.there_C, 1))[there].mean() for right in seen.right_KC]


def _log_loss(seen: Seen) -> Array:
    loss_KN = -seen.log_p_KNC[:, np.arange(len(seen.truth_N)), seen.truth_N]
    mean_K: Array = np.ascontiguousarray(loss_KN).mean(1)
    return mean_K


def _calibration_error(seen: Seen) -> Array:
    """Mean gap between confidence and accuracy over equal bins, weighted by rows. Guo et al. 2017,
    arXiv:1706.04599."""
    confidence_KN = np.exp(np.take_along_axis(seen.log_p_KNC, seen.guess_KN[..., None], 2)[..., 0])
    bin_KN = np.minimum((confidence_KN * BINS).astype(int), BINS - 1)
    gaps = counted(bin_KN, BINS, confidence_KN - seen.hit_KN)
    error_K: Array = np.abs(gaps).sum(1) / bin_KN.shape[1]
    return error_K


# --- metrics of kept predictions


def _right_each(predictions: pd.DataFrame) -> Array:
    return np.asarray(predictions["prediction"] == predictions["label"], dtype=float)


def _top5_each(predictions: pd.DataFrame) -> Array:
    return np.asarray(predictions["rank"] < 5, dtype=float)


def _log_loss_each(predictions: pd.DataFrame) -> Array:
    logits = stacked(predictions, "logits")
    logits -= logits.max(1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    own: Array = log_p[np.arange(len(log_p)), predictions["label"].to_numpy()]
    return -own


def _of_counts(
    metric: Callable[[Array, NDArray[np.bool_]], Array], *, said: bool
) -> Callable[[pd.DataFrame, NDArray[np.intp], int], Jackknife]:
    """Of a metric of counts [..., 3, C], correct, actual and predicted of each class, and of which classes occur [C].

    These are fixed: leaving a unit out takes no class away.

    Args:
        said: whether a class that is only predicted occurs.
    """

    def jackknife(predictions: pd.DataFrame, units: NDArray[np.intp], count: int) -> Jackknife:
        label, guess = (predictions[name].to_numpy(dtype=np.int64) for name in ("label", "prediction"))
        classes = int(max(label.max(), guess.max())) + 1
        rows = (label[label == guess], label, guess)
        counts = np.stack([np.bincount(row, minlength=classes) for row in rows]).astype(float)
        occurs = counts[1] + (counts[2] if said else 0) > 0
        without = np.empty(count)
        for start in range(0, count, BLOCK):
            here = (units >= start) & (units < start + BLOCK)
            unit = (units[here] - start).astype(np.int64)
            rest = np.tile(counts, (min(BLOCK, count - start), 1, 1))
            right = label[here] == guess[here]
            np.subtract.at(rest[:, 0], (unit[right], label[here][right]), 1)
            np.subtract.at(rest[:, 1], (unit, label[here]), 1)
            np.subtract.at(rest[:, 2], (unit, guess[here]), 1)
            without[start : start + BLOCK] = metric(rest, occurs)
        return Jackknife(float(metric(counts, occurs)), without)

    return jackknife


def _mean_recall(counts: Array, occurs: NDArray[np.bool_]) -> Array:
    correct, actual, _ = np.moveaxis(counts, -2, 0)
    mean: Array = (correct / np.maximum(actual, 1))[..., occurs].mean(-1)
    return mean


def _mean_f1(counts: Array, occurs: NDArray[np.bool_]) -> Array:
    """Of 2 correct / (actual + predicted), 0 where a class neither is nor is predicted."""
    correct, actual, predicted = np.moveaxis(counts, -2, 0)
    mean: Array = (2 * correct / np.maximum(actual + predicted, 1))[..., occurs].mean(-1)
    return mean


# --- of the best constant answer


def _shares(predictions: pd.DataFrame) -> Array:
    """Of the classes that occur, the largest first."""
    counts = np.sort(np.bincount(predictions["label"].to_numpy(dtype=np.int64)))[::-1]
    shares: Array = counts[counts > 0] / counts.sum()
    return shares


def _entropy(shares: Array) -> float:
    return float(-(shares * np.log(shares)).sum())


def _majority_f1(shares: Array) -> float:
    return float(2 * shares[0] / (1 + shares[0]) / len(shares))


LABELS = Classes()
SOFTMAX = Softmax()
LOGISTIC = Logistic()
METRICS = {
    # The "weighted accuracy" of the literature on emotions; its "unweighted accuracy" is uar.
    "accuracy": Metric(
        "accuracy",
        lambda seen: (seen.ranks_KN == 0).mean(1),
        per_sample=_right_each,
        chance=lambda predictions: float(_shares(predictions)[0]),
    ),
    "top5": Metric(
        "top-5 accuracy",
        lambda seen: (seen.ranks_KN < 5).mean(1),
        per_sample=_top5_each,
        chance=lambda predictions: float(_shares(predictions)[:5].sum()),
    ),
    "macro_f1": Metric(
        "macro F1",
        _macro_f1,
        jackknife=_of_counts(_mean_f1, said=True),
        chance=lambda predictions: _majority_f1(_shares(predictions)),
        by_class=True,
    ),
    "uar": Metric(
        "unweighted average recall",
        _uar,
        jackknife=_of_counts(_mean_recall, said=False),
        chance=lambda predictions: 1 / len(_shares(predictions)),
        by_class=True,
    ),
    "log_loss": Metric(
        "log loss",
        _log_loss,
        maximize=False,
        scale=1.0,
        unit="nats",
        per_sample=_log_loss_each,
        chance=lambda predictions: _entropy(_shares(predictions)),
    ),
    # Its bias does not average out: intervals over samples were found to hold in 65-76 % of cases, not 95 %.
    "ece": Metric("expected calibration error", _calibration_error, maximize=False, tested=False),
}
TASK = Task("classification", METRICS, LABELS, SOFTMAX, LOGISTIC, seen, kept, recognises=True)
