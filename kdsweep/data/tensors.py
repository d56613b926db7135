"""One part of a dataset as tensors on a device: what training and evaluation index into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdsweep.data.dataset import Dataset


@dataclass(frozen=True)
class Tensors:
    """N rows. `inputs` [N, *shape] float32 and `present` [N] bool by modality, `labels` [N] int64, `ids`, `groups`."""

    inputs: Mapping[str, Tensor]
    present: Mapping[str, Tensor]
    labels: Tensor
    ids: np.ndarray[Any, Any]
    groups: np.ndarray[Any, Any] | None

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, rows: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Inputs and presence of these rows."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        return inputs, {name: there[rows] for name, there in self.present.items()}


def to_tensors(dataset: Dataset, modalities: tuple[str, ...], device: torch.device) -> Tensors:
    """These modalities of a dataset, on a device."""
    return Tensors(
        {name: torch.as_tensor(np.ascontiguousarray(dataset.modalities[name]), device=device) for name in modalities},
        {name: torch.as_tensor(dataset.present[name].copy(), device=device) for name in modalities},
        torch.as_tensor(dataset.labels, device=device),
        dataset.ids,
        dataset.groups,
    )
