"""What tests of metrics share."""

from __future__ import annotations

import torch

from kdsweep.engine import scoring
from kdsweep.objective.batch import Outputs
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.base import Judged


def measured(task: str, logits: torch.Tensor, labels: torch.Tensor) -> list[dict[str, float]]:
    """The metrics of networks' logits [K, N, C]."""
    rows = len(labels)
    part = type("Part", (), {"labels": labels})
    said = [Outputs(one, torch.zeros(rows, 2), torch.ones(rows, dtype=torch.bool)) for one in logits]
    return scoring.measure(tasks.load(task), [Judged(one, part) for one in said])
