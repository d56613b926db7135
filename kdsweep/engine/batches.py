"""What a step looks at: rows of the training part in each lane's own view, mixed where the recipe mixes.

Letters: K lanes, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from kdsweep.data.tensors import Tensors
from kdsweep.data.views import Views
from kdsweep.engine.workers import Workers

Streams = Mapping[str, torch.Generator]


class Look(NamedTuple):
    """One batch of every lane, [K, B, ...] each.

    Attributes:
        inputs, present: by modality; this worker's slice.
        labels: of the whole batch.
        labelled: "rows", those that have a label, where some of the training part have none; else empty.
        mixed: "labels" and "share" [K] where rows are blends of two, else empty.
    """

    inputs: dict[str, Tensor]
    present: dict[str, Tensor]
    labels: Tensor
    labelled: dict[str, Tensor]
    mixed: dict[str, Tensor]


@dataclass
class Batches:
    """How rows of the training part become what networks read.

    Attributes:
        read: the modalities that a step looks at.
        streams: what each lane's views and partners are drawn from.
        patterns: which rows miss the same modalities, or a label: only those are mixed.
    """

    train: Tensors
    read: Sequence[str]
    views: Views
    streams: Sequence[Streams]
    patterns: Tensor
    workers: Workers

    def look(self, rows: Tensor) -> Look:
        """These rows [K, B]."""
        inputs, present = self._view(rows)
        mixed: dict[str, Tensor] = {}
        if self.views.alpha is not None:
            partners, share = self.views.partners(rows, self.streams, self.patterns)
            others, there = self._view(partners)
            inputs = self.views.blend(inputs, others, share)
            present = {name: present[name] & there[name] for name in present}
            mixed = {"labels": self.train.labels[partners], "share": share}
        labelled = {} if self.train.labelled is None else {"rows": self.train.labelled[rows]}
        return Look(inputs, present, self.train.labels[rows], labelled, mixed)

    def _view(self, rows: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        # Networks see this worker's slice of the batch, the objective the whole of it.
        inputs, present = self.train.batch(self.workers.mine(rows.T).T, self.read)
        return self.views.of(inputs, present, self.streams, self.workers.mine, rows.shape[1]), present
