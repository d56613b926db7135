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
        tasks: the tasks it is made for; the first metric of a task is its default.
    """

    label: str
    maximize: bool = True
    scale: float = 100.0
    unit: str = "%"
    mean: bool = True
    tasks: tuple[str, ...] = ("classification",)


CLASSES = ("classification", "retrieval")
RETRIEVAL = ("retrieval",)
MULTILABEL = ("multilabel",)
REGRESSION = ("regression",)

METRICS = {
    "recall_at_1": Metric("recall at 1", tasks=RETRIEVAL),
    "recall_at_5": Metric("recall at 5", tasks=RETRIEVAL),
    "recall_at_10": Metric("recall at 10", tasks=RETRIEVAL),
    "map": Metric("mAP", tasks=RETRIEVAL),
    "mrr": Metric("mean reciprocal rank", tasks=RETRIEVAL),
    "within_recall_at_1": Metric("recall at 1, within the split", tasks=RETRIEVAL),
    "within_recall_at_5": Metric("recall at 5, within the split", tasks=RETRIEVAL),
    "within_recall_at_10": Metric("recall at 10, within the split", tasks=RETRIEVAL),
    "within_map": Metric("mAP, within the split", tasks=RETRIEVAL),
    "within_mrr": Metric("mean reciprocal rank, within the split", tasks=RETRIEVAL),
    # The "weighted accuracy" of the literature on emotions; its "unweighted accuracy" is uar.
    "accuracy": Metric("accuracy", tasks=CLASSES),
    "top5": Metric("top-5 accuracy", tasks=CLASSES),
    "macro_ap": Metric("mAP over labels", mean=False, tasks=MULTILABEL),
    "macro_f1": Metric("macro F1", mean=False, tasks=(*CLASSES, *MULTILABEL)),
    "micro_f1": Metric("micro F1", mean=False, tasks=MULTILABEL),
    "uar": Metric("unweighted average recall", mean=False, tasks=CLASSES),
    "log_loss": Metric("log loss", maximize=False, scale=1.0, unit="nats", tasks=(*CLASSES, *MULTILABEL)),
    "ece": Metric("expected calibration error", maximize=False, mean=False, tasks=CLASSES),
    "mae": Metric("mean absolute error", maximize=False, scale=1.0, unit="target unit", tasks=REGRESSION),
    "rmse": Metric(
        "root mean squared error", maximize=False, scale=1.0, unit="target unit", mean=False, tasks=REGRESSION
    ),
    "pearson": Metric("Pearson correlation", scale=1.0, unit="r", mean=False, tasks=REGRESSION),
    "ccc": Metric("concordance correlation", scale=1.0, unit="ρc", mean=False, tasks=REGRESSION),
}


def of_task(task: str) -> list[str]:
    """The metrics of a task, its default first."""
    return [name for name, metric in METRICS.items() if task in metric.tasks]
