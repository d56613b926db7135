"""One part of a dataset as tensors on a device: what training and evaluation index into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdsweep.data.dataset import Dataset
from kdsweep.data.disk.maps import OnDisk
from kdsweep.data.scaling import Scaling


@dataclass(frozen=True)
class Mapped:
    """A modality that stays on disk: indexed like a tensor [N, *shape] float32, it brings those rows to the device."""

    rows: OnDisk
    device: torch.device
    scaling: Scaling | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        index = np.arange(len(self.rows))[rows] if isinstance(rows, slice) else rows.cpu().numpy()
        kept = self.rows.take(index.reshape(-1))
        # Bytes travel, floats are made on the device.
        values = self._widened(torch.from_numpy(kept.values).to(self.device))
        if not kept.present.all():
            there = torch.from_numpy(kept.present).to(self.device)
            values = torch.where(there.reshape(-1, *(1,) * (values.ndim - 1)), values, 0.0)
        if self.scaling is not None:
            padded = self.rows.map.modality.kind == "sequence"
            there = torch.from_numpy(kept.present).to(self.device)
            values = self.scaling.apply(values, there, padded=padded)
        return values.reshape(*index.shape, *values.shape[1:])

    def _widened(self, kept: Tensor) -> Tensor:
        """What `columns.widen` makes of values that are there, to the last bit."""
        values, scale = kept.to(torch.float32), self.rows.map.scale
        if scale is None:
            return values
        low, high = scale
        body = values * float(np.float32((high - low) / 255)) + float(np.float32(low))
        if self.rows.map.modality.kind != "sequence":
            return body
        real = values[..., -1:]
        return torch.cat([torch.where(real != 0, body[..., :-1], 0.0), real], dim=-1)


def take(values: Tensor | Mapped, rows: Tensor) -> Tensor:
    """`values[rows]`, rows of any shape. Whole rows of a tensor are copied several times faster than it indexes."""
    if isinstance(values, Mapped):
        return values[rows]
    return values.index_select(0, rows.reshape(-1)).reshape(*rows.shape, *values.shape[1:])


@dataclass(frozen=True)
class Tensors:
    """N rows. `inputs` [N, *shape] float32 and `present` [N] bool by modality, `labels`, `ids`.

    Labels are [N] int64, [N, C] float32 of 0 and 1 (multilabel) or [N, R] float32 (regression). `labelled` [N] bool is
    None where every row has one; what has none is zero-filled.
    """

    inputs: Mapping[str, Tensor | Mapped]
    present: Mapping[str, Tensor]
    labels: Tensor
    ids: np.ndarray[Any, Any]
    labelled: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, rows: Tensor, names: Iterable[str] | None = None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Inputs and presence of these rows, in the modalities named or in all."""
        asked = tuple(self.inputs) if names is None else tuple(names)
        inputs = {name: take(self.inputs[name], rows) for name in asked}
        return inputs, {name: take(self.present[name], rows) for name in asked}


def to_tensors(
    dataset: Dataset,
    modalities: tuple[str, ...],
    device: torch.device,
    scaling: Mapping[str, Scaling] | None = None,
) -> Tensors:
    """These modalities of a dataset, on a device; what is larger than memory stays on disk.

    Args:
        scaling: of the modalities that are put on another scale.
    """
    scales = scaling or {}
    inputs: dict[str, Tensor | Mapped] = {}
    for name in modalities:
        values: Any = dataset.modalities[name]
        if isinstance(values, OnDisk):
            inputs[name] = Mapped(values, device, scales.get(name))
            continue
        tensor = torch.as_tensor(np.ascontiguousarray(values), device=device)
        if name in scales:
            there = torch.as_tensor(dataset.present[name].copy(), device=device)
            tensor = scales[name].apply(tensor, there, padded=dataset.card.modalities[name].kind == "sequence")
        inputs[name] = tensor
    has_label, labels = dataset.labelled, dataset.labels
    if not has_label.all():
        labels = labels.copy()
        labels[~has_label] = 0
    return Tensors(
        inputs,
        {name: torch.as_tensor(dataset.present[name].copy(), device=device) for name in modalities},
        torch.as_tensor(labels, device=device),
        dataset.ids,
        None if has_label.all() else torch.as_tensor(has_label, device=device),
    )
