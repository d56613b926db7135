"""What terms on feature maps share. B rows; a sequence [B, T, D] enters as [B, D, T, 1]."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.batch import Batch, Sizes

MAPS = ("student.map", "teacher.map")


def check_maps(term: str, sizes: Sizes) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the student's and the teacher's map, without the batch axis.

    Raises:
        ValueError: one of them shows none, or shows a pooled vector, on which the term is 0 for any student.
    """
    shapes = []
    for name in MAPS:
        shape = sizes.features.get(name)
        if shape is None or len(shape) != 3 or shape[1] * shape[2] < 2:
            raise ValueError(
                f"{term} compares maps [channels, height, width] of two positions or more, got {name}={shape}"
            )
        shapes.append(shape)
    return shapes[0], shapes[1]


def both_maps(batch: Batch) -> tuple[Tensor, Tensor]:
    """The two maps, the larger averaged to the height and width of the smaller."""
    student, teacher = batch.student.features["map"], batch.of("teacher").features["map"].detach()
    size = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
    return F.adaptive_avg_pool2d(student, size), F.adaptive_avg_pool2d(teacher, size)
