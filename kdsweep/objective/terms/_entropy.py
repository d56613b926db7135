"""The conditional entropy H(T|S): what the teacher's embedding says that the student's does not, lowered in three ways.

All rest on H(T|S) <= -E log q(t|s) for any q. The teacher is detached in each: minimised over T, the entropy has a
constant teacher as its optimum. Three designs that look alike are not here, because they do not lower it: a generator
driven by noise models p(t|s) however wide it is, a gradient through the fake branch alone or a match of the marginals
p(t) and p(G(s)) says nothing about pairs.

Letters: B rows, D width of the teacher's embedding, S of the student's.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from kdsweep.objective.numerics import masked_mean, softplus
from kdsweep.values.paper import Paper

AMID = Paper(
    authors=("Chen", "Xing", "Wang", "Zhang"),
    title="Enhanced Multimodal Representation Learning with Cross-modal KD",
    venue="CVPR",
    year=2023,
    arxiv="2306.07646",
    after=True,
)


def standardized(values_BD: Tensor) -> Tensor:
    """Each row with mean 0 and variance 1: a discriminator that can tell fakes by their scale learns nothing else."""
    return F.layer_norm(values_BD, values_BD.shape[1:])


def real(logit_B1: Tensor, rows: Tensor) -> Tensor:
    """-E log D: the loss of saying fake."""
    return masked_mean(softplus(-logit_B1[:, 0]), rows)


def fake(logit_B1: Tensor, rows: Tensor) -> Tensor:
    """-E log(1 - D): the loss of saying real."""
    return masked_mean(softplus(logit_B1[:, 0]), rows)
