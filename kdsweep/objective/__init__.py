"""Terms and the objectives they add up to. Names load on first use: reading a method's SPACE must not import torch."""

from __future__ import annotations

import importlib
from typing import Any

# Name -> module of this package. One line a term.
_HOMES = {
    "Adversary": "adversary",
    "Attention": "maps",
    "Batch": "batch",
    "ChannelCorrelation": "maps",
    "ClassContrast": "contrastive",
    "CompositionalContrast": "crossmodal",
    "CorrelatedLogits": "logits",
    "CorrelationCongruence": "relations",
    "CorrelationKernel": "relations",
    "CrossEntropy": "labels",
    "CustomizedLogits": "crossmodal",
    "DecoupledLogits": "logits",
    "GaussianEntropy": "conditional_entropy",
    "Hallucination": "features",
    "Hint": "features",
    "JointEntropy": "conditional_entropy",
    "LogitAgreement": "focus",
    "MarginSimilarity": "relations",
    "MeanDiscrepancy": "features",
    "ModalityFocus": "focus",
    "MultiLevelLogits": "logits",
    "MutualInformation": "mutual_information",
    "NeuronSelectivity": "maps",
    "Objective": "base",
    "OneForAll": "logits",
    "Outputs": "batch",
    "PairEntropy": "conditional_entropy",
    "Parts": "base",
    "ProbabilisticTransfer": "relations",
    "ProjectedRegression": "features",
    "RelationalDistances": "relations",
    "SimilarityPreserving": "relations",
    "Sizes": "batch",
    "SoftLogits": "logits",
    "SupervisedContrast": "contrastive",
    "Term": "base",
    "VariationalInformation": "features",
    "make_entropy": "conditional_entropy",
    "masked_mean": "batch",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kdsweep.objective' has no attribute {name!r}")
    return getattr(importlib.import_module(f"kdsweep.objective.{_HOMES[name]}"), name)
