"""The metrics' names: which way is better, how a report prints them, and whether they are means over samples."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One metric of the evaluation.

    Attributes:
        label: as a report prints it.
        maximize: whether more is better.
        scale: factor from the stored value to the printed one; 100 for shares.
        unit: of the printed value.
        mean: whether it is a mean of per-sample scores.
        tasks: the tasks it is made for.
    """

    label: str
    maximize: bool = True
    scale: float = 100.0
    unit: str = "%"
    mean: bool = True
    tasks: tuple[str, ...] = ("classification",)


METRICS = {
    "accuracy": Metric("accuracy"),
    "top5": Metric("top-5 accuracy"),
    "macro_f1": Metric("macro F1", mean=False),
    "uar": Metric("unweighted average recall", mean=False),
    "log_loss": Metric("log loss", maximize=False, scale=1.0, unit="nats"),
    "ece": Metric("expected calibration error", maximize=False, mean=False),
}
