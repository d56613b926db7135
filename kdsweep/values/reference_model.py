"""Models of scikit-learn on the student's rows, which a report puts beside the student: no trials, and no budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from kdsweep.values.trial import digest

if TYPE_CHECKING:
    from kdsweep.values.study import Study

# Raised when a change to how they are fitted moves numbers.
REVISION = 1
LABELS = {"linear": "linear model (scikit-learn)", "mlp": "MLP (scikit-learn)"}


@dataclass(frozen=True)
class ReferenceModel:
    """One model on the rows of one fold.

    Attributes:
        metric: by which its settings are chosen on validation.
        content: fingerprint of the data.
        rows: digests of the ids of each part.
        drop_labels: the share of the training labels that are taken away.
    """

    kind: Literal["linear", "mlp"]
    task: str
    metric: str
    modalities: tuple[str, ...]
    content: str
    rows: Mapping[str, str]
    fold: int
    drop_labels: float
    revision: int = REVISION

    @property
    def id(self) -> str:
        return digest(asdict(self))

    @property
    def label(self) -> str:
        """As a report names it."""
        return LABELS[self.kind]


def reference_models(study: Study) -> tuple[ReferenceModel, ...]:
    """All that a study shows, kind by kind, one a fold."""
    if not study.references or study.facts is None:
        return ()
    return tuple(
        ReferenceModel(
            kind,
            study.task,
            study.metric,
            study.student,
            study.facts.fingerprint,
            {str(part): names for part, names in rows.digests.items()},
            fold,
            study.data.drop_labels,
        )
        for kind in ("linear", "mlp")
        for fold, rows in enumerate(study.facts.folds)
    )
