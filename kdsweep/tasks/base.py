"""What a task says of itself: its labels, what scores mean to a loss, what is measured, and what is kept of test.

Nothing here loads torch, pandas or scikit-learn until it is called. N rows, B rows of a batch, C classes, labels or
targets, K networks, I test units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from torch import Tensor

    from kdsweep.data.tensors import Tensors
    from kdsweep.objective.batch import Outputs

Array = NDArray[Any]
# What is kept of every test sample, by column: [N] or [N, width].
Predictions = dict[str, Array]


class Judged(NamedTuple):
    """A part, what a network says of it, and, where a gallery is searched, what it says of the training part."""

    outputs: Outputs
    part: Tensors
    gallery: Outputs | None = None
    gallery_labels: Tensor | None = None


class Jackknife(NamedTuple):
    """A metric of all test units, and [I] what it is without each of them."""

    whole: float
    without: Array


@dataclass(frozen=True)
class Metric:
    """One metric: how it is measured, and the words in which a report prints it.

    Attributes:
        label: as a report prints it.
        measure: [K] values of K networks, of what the task's `seen` made of their outputs.
        maximize: whether more is better.
        scale: factor from the stored value to the printed one; 100 for shares.
        unit: of the printed value.
        per_sample: [N] each sample's score in a table of kept predictions, where the metric is the mean of such scores.
        jackknife: of such a table, the unit of every row [N] from 0 and the number of units, where it is no such mean.
        chance: what the best answer that is the same for every sample scores, of such a table; 0 for what is searched,
            and None where that means nothing.
        by_class: whether it is a mean over the classes or labels that occur, so that each has to rest on several units.
        tested: whether two methods are compared unit by unit: not where a unit's score hangs on the others.
    """

    label: str
    measure: Callable[[Any], Sequence[float] | Array]
    maximize: bool = True
    scale: float = 100.0
    unit: str = "%"
    per_sample: Callable[[pd.DataFrame], Array] | None = None
    jackknife: Callable[[pd.DataFrame, NDArray[np.intp], int], Jackknife] | None = None
    chance: Callable[[pd.DataFrame], float] | None = None
    by_class: bool = False
    tested: bool = True

    @property
    def mean(self) -> bool:
        """Whether it is a mean of per-sample scores."""
        return self.per_sample is not None


class Labelled(NamedTuple):
    """Labels as a Dataset has them, and the names of classes or targets."""

    labels: Array
    classes: tuple[str, ...]


class Labels(Protocol):
    """Labels [N] or [N, C] of a dataset, whose card names C classes, labels or targets: `classes`.

    A row without a label is -1 of whole numbers and NaN of others (`kdsweep.tasks.labels`): `check`, `encode`, `decode`
    and `counts` know such rows, null in a file; nobody else is given one.
    """

    @property
    def note(self) -> str:
        """What a reader of rows counted by class has to know; "" where there is nothing to say."""
        ...

    def check(self, labels: Array, classes: Sequence[str], ids: Array, where: str) -> None:
        """Nothing, if these are labels of the task.

        Raises:
            ValueError: they are not: names the row and the column.
        """
        ...

    def encode(self, labels: Array, classes: Sequence[str]) -> pa.Array:
        """As a column of a file."""
        ...

    def decode(self, column: pa.ChunkedArray, classes: Sequence[str], where: str) -> Array:
        """The labels of such a column.

        Raises:
            ValueError: a name is no class.
        """
        ...

    def read(
        self, values: Sequence[Any], ids: Sequence[str], *, where: str, columns: Sequence[str], classes: Sequence[str]
    ) -> Labelled:
        """What a user's column says, one value a row.

        Args:
            columns: what the file calls the columns of a value of several numbers; may be empty.
            classes: names in order; empty: those that occur, or the columns', or numbers.

        Raises:
            ValueError: a value is no label: names the file and the row.
        """
        ...

    def counts(self, labels: Array, classes: int) -> Array | None:
        """[C] rows of each class; None where there are no classes."""
        ...

    def strata(self, labels: Array) -> Array | None:
        """[N] what the parts of a split hold equal shares of; None where rows are drawn without."""
        ...

    def example(self, rows: int, rng: np.random.Generator) -> Labelled:
        """Labels of so many rows, at least 20, as `check` has them: what the tests of a task are given."""
        ...


class Scores(Protocol):
    """What a network's scores [B, C] mean to a loss. Networks are stacked: nothing branches on a number in them."""

    @property
    def softmax(self) -> bool:
        """Whether they are a distribution over classes, and labels the classes [B]."""
        ...

    @property
    def tempered(self) -> bool:
        """Whether a temperature softens them."""
        ...

    def loss(self, scores_BC: Tensor, labels: Tensor, *, smoothing: float, weights_C: Tensor | None) -> Tensor:
        """[B] the supervised loss.

        Args:
            smoothing: share of every label that goes to all classes alike.
            weights_C: of `balanced`.
        """
        ...

    def distil(self, student_BC: Tensor, teacher_BC: Tensor, temperature: Tensor | float) -> Tensor:
        """[B] how far the student is from the teacher's softened scores."""
        ...

    def smoothed(self, labels: Tensor, classes: int, smoothing: float) -> Tensor:
        """[N, C] scores of a teacher that knows nothing but smoothed labels."""
        ...

    def balanced(self, labels: Tensor, classes: int) -> Tensor:
        """[C] weights with which every class counts the same, of the training part's labels."""
        ...


class Linear(Protocol):
    """The models of scikit-learn that `data describe` and a report's reference rows fit."""

    @property
    def measure(self) -> str:
        """What its score is: a share."""
        ...

    def model(self, strength: float) -> Any:
        """A scikit-learn estimator; `strength` is the inverse of its penalty's."""
        ...

    def score(self, model: Any, x: Array, labels: Array) -> float: ...

    def mlp(self, width: int, *, passes: int) -> Any:
        """A scikit-learn estimator with one hidden layer, which sees the training rows so many times at most."""
        ...

    def logits(self, model: Any, x: Array, classes: int) -> Array:
        """[N, classes] what such a fitted model says, as a network's scores."""
        ...


@dataclass(frozen=True)
class Task:
    """What is to be learned, how it is measured, and what is kept: one file of this folder.

    Attributes:
        name: of the file.
        metrics: by name, the default first.
        labels, scores, linear: see there. Tasks with the same `labels` may be asked of the same data.
        seen: of what K networks say of the rows that are present, their logits [K, N, C], finite, and the labels of
            these rows: what the metrics read.
        kept: of what a network says of a part, its logits [N, C] and the labels of the rows that are present: columns
            of its predictions beside sample and label, from which its metrics can be computed again.
        searches: whether it searches the training part for what is like a test row.
        recognises: whether a test sample is right or wrong, by its class alone.
        meaningless: controls and keys of the recipe that have no meaning here, and why.
    """

    name: str
    metrics: Mapping[str, Metric]
    labels: Labels
    scores: Scores
    linear: Linear
    seen: Callable[[Sequence[Judged], Tensor, Tensor], Any]
    kept: Callable[[Judged, Array, Array], Predictions]
    searches: bool = False
    recognises: bool = False
    meaningless: Mapping[str, str] = field(default_factory=dict)
