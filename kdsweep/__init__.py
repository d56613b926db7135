"""kdsweep: which cross-modal distillation objective works, which of its terms matter, and how sure we can be."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset
    from kdsweep.objective.outputs import Batch, Outputs
    from kdsweep.objective.term import Objective, Term
    from kdsweep.results import Results
    from kdsweep.space import Choice, Float, Int, Schedule
    from kdsweep.study import Study
    from kdsweep.study_file import load
    from kdsweep.trial import Trial

# MKL's products then do not depend on where in memory a lane begins: a member of a pack whose rows are an odd number of
# bytes would know its lane. Here, for MKL reads it at its first product; a user's own setting stays.
os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")

__version__ = "0.1.0"
__all__ = [
    "Batch",
    "Choice",
    "Dataset",
    "Float",
    "Int",
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
    "Batch": "kdsweep.objective.outputs",
    "Choice": "kdsweep.space",
    "Dataset": "kdsweep.data.dataset",
    "Float": "kdsweep.space",
    "Int": "kdsweep.space",
    "Objective": "kdsweep.objective.term",
    "Outputs": "kdsweep.objective.outputs",
    "Results": "kdsweep.results",
    "Schedule": "kdsweep.space",
    "Study": "kdsweep.study",
    "Term": "kdsweep.objective.term",
    "Trial": "kdsweep.trial",
    "load": "kdsweep.study_file",
}


def __getattr__(name: str) -> Any:
    # On first use: `import kdsweep` stands before every command, and terms bring torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
