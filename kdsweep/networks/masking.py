"""Arithmetic over what is really there: steps that are no padding, modalities that are not missing.

B rows, L steps, F features, W width, M modalities, D embedding width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor


def steps_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """A padded sequence [B, L, F + 1] as its features [B, L, F] and its flag [B, L, 1]."""
    return x[..., :-1], x[..., -1:]


def mean_over_steps(values: Tensor, real: Tensor) -> Tensor:
    """Mean of values [B, L, W] over the real steps [B, L, 1]; 0 where there is none. -> [B, W]."""
    return (values * real).sum(1) / real.sum(1).clamp(min=1)


def attend(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    """softmax(q kᵀ / √width) v over the keys where `real`, which broadcasts to the scores, is not 0.

    Written out: a row without any real key gets the plain mean, and no NaN.
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return F.softmax(scores + (real - 1) * 1e9, dim=-1) @ v


def what_is_there(
    names: tuple[str, ...], embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Presence [B, M] as numbers, and the embeddings with zeros where they are missing."""
    there = torch.stack([present[name] for name in names], dim=1)
    seen = [torch.where(present[name][:, None], embeddings[name], torch.zeros_like(embeddings[name])) for name in names]
    return there.to(seen[0].dtype), seen
