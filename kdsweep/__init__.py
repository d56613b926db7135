"""kdsweep: which cross-modal distillation objective works, which of its terms matter, and how sure we can be."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset
    from kdsweep.objective.base import Objective, Term
    from kdsweep.objective.batch import Batch, Outputs
    from kdsweep.run.store import Results
    from kdsweep.study_file import load
    from kdsweep.values.card import Card, Modality
    from kdsweep.values.space import Choice, Float, Int, Schedule
    from kdsweep.values.study import Study
    from kdsweep.values.trial import Trial

__version__ = "0.1.0"
__all__ = [
    "Batch",
    "Card",
    "Choice",
    "Dataset",
    "Float",
    "Int",
    "Modality",
    "Objective",
    "Outputs",
    "Results",
    "Schedule",
    "Study",
    "Term",
    "Trial",
    "load",
]
_HOMES = {
    "Batch": "kdsweep.objective.batch",
    "Card": "kdsweep.values.card",
    "Choice": "kdsweep.values.space",
    "Dataset": "kdsweep.data.dataset",
    "Float": "kdsweep.values.space",
    "Int": "kdsweep.values.space",
    "Modality": "kdsweep.values.card",
    "Objective": "kdsweep.objective.base",
    "Outputs": "kdsweep.objective.batch",
    "Results": "kdsweep.run.store",
    "Schedule": "kdsweep.values.space",
    "Study": "kdsweep.values.study",
    "Term": "kdsweep.objective.base",
    "Trial": "kdsweep.values.trial",
    "load": "kdsweep.study_file",
}


def __getattr__(name: str) -> Any:
    # On first use: `import kdsweep` stands before every command, and terms bring torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
