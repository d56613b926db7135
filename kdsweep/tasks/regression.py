"""Each row has values. N rows, B rows of a batch, C targets, K networks, I test units."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kdsweep.tasks import labels as shared
from kdsweep.tasks.base import Array, Judged, Labelled, Metric, Predictions, Task
from kdsweep.tasks.jackknife import of_sums, stacked

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from torch import Tensor

NAME = "regression"
NO_CLASSES = "values have no classes"


class Values:
    """Numbers: float32 [N, C], where the card's classes are the names of the C targets."""

    note = ""

    def check(self, labels: Array, classes: Sequence[str], ids: Array, where: str) -> None:
        shared.check_width(labels, NAME, classes, ids, where)
        shared.check_values(~np.isfinite(labels), "a target is a finite number", labels, classes, ids, where)

    def encode(self, labels: Array, classes: Sequence[str]) -> pa.Array:
        import pyarrow as pa

        absent = pa.array(~shared.labelled(labels))
        values = pa.array(labels.reshape(-1), pa.float32())
        return pa.FixedSizeListArray.from_arrays(values, len(classes), mask=absent)

    def decode(self, column: pa.ChunkedArray, classes: Sequence[str], where: str) -> Array:
        # Flattened, a list that is null is not there at all.
        numbers = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        labels: Array = numbers.reshape(-1, len(classes)).astype(np.float32)
        return shared.spread(labels, column.is_valid().to_numpy())

    def read(
        self, values: Sequence[Any], ids: Sequence[str], *, where: str, columns: Sequence[str], classes: Sequence[str]
    ) -> Labelled:
        """Values are a number or several."""
        rule = "the targets of a regression are finite numbers, as many in every row"
        rows = shared.read_numbers(values, ids, rule, where)
        return Labelled(rows, shared.name_columns(rows.shape[1], columns, classes, "target", where))

    def counts(self, labels: Array, classes: int) -> None:
        """Values have no classes."""

    def strata(self, labels: Array) -> None:
        """Nor have they strata."""

    def example(self, rows: int, rng: np.random.Generator) -> Labelled:
        return Labelled(rng.normal(size=(rows, 2)).astype(np.float32), ("a", "b"))


class Predicted:
    """Scores that are the predicted values."""

    softmax = False
    tempered = False

    def loss(self, scores_BC: Tensor, labels: Tensor, *, smoothing: float, weights_C: Tensor | None) -> Tensor:
        """The mean squared error."""
        return (scores_BC - labels).square().mean(1)

    def distil(self, student_BC: Tensor, teacher_BC: Tensor, temperature: Tensor | float) -> Tensor:
        """The mean squared difference, without a temperature."""
        return (student_BC - teacher_BC).square().mean(1)

    def smoothed(self, labels: Tensor, classes: int, smoothing: float) -> Tensor:
        raise ValueError(f"{NO_CLASSES}: there is nothing to smooth")

    def balanced(self, labels: Tensor, classes: int) -> Tensor:
        raise ValueError(f"{NO_CLASSES}: there is nothing to balance")


class RidgeRegression:
    measure = "R²"

    def model(self, strength: float) -> Any:
        from sklearn.linear_model import Ridge

        return Ridge(alpha=1 / strength)

    def score(self, model: Any, x: Array, labels: Array) -> float:
        from sklearn.metrics import r2_score

        return float(r2_score(labels, model.predict(x)))

    def mlp(self, width: int, *, passes: int) -> Any:
        from sklearn.compose import TransformedTargetRegressor
        from sklearn.neural_network import MLPRegressor
        from sklearn.preprocessing import StandardScaler

        return TransformedTargetRegressor(
            MLPRegressor(hidden_layer_sizes=(width,), max_iter=passes, random_state=0), transformer=StandardScaler()
        )

    def logits(self, model: Any, x: Array, classes: int) -> Array:
        return np.asarray(model.predict(x)).reshape(len(x), classes)


@dataclass(frozen=True)
class Errors:
    """What one network predicts [N, C], the targets, and what several metrics make of them."""

    x: Tensor
    y: Tensor

    @functools.cached_property
    def error(self) -> Tensor:
        return self.x - self.y

    @functools.cached_property
    def covariance(self) -> Tensor:
        return ((self.x - self.x.mean(0)) * (self.y - self.y.mean(0))).mean(0)

    @functools.cached_property
    def spread_x(self) -> Tensor:
        return (self.x - self.x.mean(0)).square().mean(0)

    @functools.cached_property
    def spread_y(self) -> Tensor:
        return (self.y - self.y.mean(0)).square().mean(0)


def seen(judged: Sequence[Judged], logits_KNC: Tensor, labels: Tensor) -> list[Errors]:
    return [Errors(logits_NC.double(), labels.double()) for logits_NC in logits_KNC]


def kept(judged: Judged, logits: Array, labels: Array) -> Predictions:
    return {"prediction": logits.astype(np.float32)}


# --- metrics of networks, each the mean over the targets


def _mae(seen: list[Errors]) -> list[float]:
    return [float(one.error.abs().mean()) for one in seen]


def _rmse(seen: list[Errors]) -> list[float]:
    return [float(one.error.square().mean(0).sqrt().mean()) for one in seen]


def _pearson(seen: list[Errors]) -> list[float]:
    import torch

    correlations = []
    for one in seen:
        shared = (one.spread_x * one.spread_y).sqrt()
        r = torch.where(shared > 0, one.covariance / shared.clamp(min=1e-300), torch.zeros_like(shared))
        correlations.append(float(r.mean()))
    return correlations


def _ccc(seen: list[Errors]) -> list[float]:
    """2 cov / (var_x + var_y + (mean_x - mean_y)^2), of which nothing is left where a prediction is constant.

    Lin. A Concordance Correlation Coefficient to Evaluate Reproducibility. Biometrics 1989.
    """
    agreements = []
    for one in seen:
        apart = (one.spread_x + one.spread_y + one.error.mean(0).square()).clamp(min=1e-300)
        agreements.append(float((2 * one.covariance / apart).mean()))
    return agreements


# --- metrics of kept predictions


def _mae_each(predictions: pd.DataFrame) -> Array:
    return np.asarray(np.abs(stacked(predictions, "prediction") - stacked(predictions, "label")).mean(1))


def _moments(predictions: pd.DataFrame) -> Array:
    """[N, 6, C]: 1, x, y, x², y², xy; x and y less the means of y, so that squares stay small."""
    x, y = stacked(predictions, "prediction"), stacked(predictions, "label")
    middle = y.mean(0)
    x, y = x - middle, y - middle
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)


def _central(sums: Array) -> tuple[Array, Array, Array, Array]:
    """Difference of means, variances of x and y, covariance: [..., C] each."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -2, 0)
    return (
        (x - y) / n,
        np.maximum(xx / n - (x / n) ** 2, 0),
        np.maximum(yy / n - (y / n) ** 2, 0),
        xy / n - x * y / n**2,
    )


def _rmse_of(sums: Array) -> Array:
    n, _, _, xx, yy, xy = np.moveaxis(sums, -2, 0)
    root: Array = np.sqrt(np.maximum(xx - 2 * xy + yy, 0) / n).mean(-1)
    return root


def _pearson_of(sums: Array) -> Array:
    _, spread_x, spread_y, covariance = _central(sums)
    scale = np.sqrt(spread_x * spread_y)
    r: Array = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0).mean(-1)
    return r


def _ccc_of(sums: Array) -> Array:
    apart, spread_x, spread_y, covariance = _central(sums)
    scale = spread_x + spread_y + apart**2
    agreement: Array = np.divide(2 * covariance, scale, out=np.zeros_like(covariance), where=scale > 0).mean(-1)
    return agreement


# --- of the best constant answer


def _mae_of_the_median(predictions: pd.DataFrame) -> float:
    y = stacked(predictions, "label")
    return float(np.abs(y - np.median(y, axis=0)).mean())


TARGET_UNIT = "target unit"
METRICS = {
    "mae": Metric(
        "mean absolute error",
        _mae,
        maximize=False,
        scale=1.0,
        unit=TARGET_UNIT,
        per_sample=_mae_each,
        chance=_mae_of_the_median,
    ),
    "rmse": Metric(
        "root mean squared error",
        _rmse,
        maximize=False,
        scale=1.0,
        unit=TARGET_UNIT,
        jackknife=of_sums(_moments, _rmse_of),
        chance=lambda predictions: float(stacked(predictions, "label").std(0).mean()),
    ),
    "pearson": Metric(
        "Pearson correlation",
        _pearson,
        scale=1.0,
        unit="r",
        jackknife=of_sums(_moments, _pearson_of),
        chance=lambda predictions: 0.0,
    ),
    "ccc": Metric(
        "concordance correlation",
        _ccc,
        scale=1.0,
        unit="ρc",
        jackknife=of_sums(_moments, _ccc_of),
        chance=lambda predictions: 0.0,
    ),
}
TASK = Task(
    NAME,
    METRICS,
    Values(),
    Predicted(),
    RidgeRegression(),
    seen,
    kept,
    meaningless=dict.fromkeys(("label_smoothing", "shuffled_within_class", "class_weights"), NO_CLASSES),
)
