"""A first study file for a dataset, commented, to be edited."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.study_file.arms import REFERENCES
from kdsweep.values.card import Card

_START = ("student_only", "kd")


def template(data: str, card: Card, *, student: Sequence[str]) -> str:
    """The text of a valid study.

    Args:
        data: a shipped dataset's name, `package.module:callable`, or a folder.
        card: the dataset's description.
        student: the modalities seen at deployment.

    Raises:
        ValueError: the dataset has no such modality.
    """
    for name in student:
        if name not in card.modalities:
            raise ValueError(f"no modality {name!r} in this dataset: found {', '.join(card.modalities)}")
    key = "name" if data in source.names() else "python" if ":" in data else "path"
    auxiliary = [name for name in card.modalities if name not in student]
    others = [name for name in methods.names() if name not in (*_START, *REFERENCES)]
    commented = "".join(f"  # {name}: {{}}   # {methods.load(name).summary}\n" for name in others)
    return f"""\
# Which distillation objective works on this data, under an equal tuning budget?
# Check it with `python -m kdsweep validate`, run it with `python -m kdsweep launch`.
data:
  {key}: {json.dumps(data, ensure_ascii=False)}
  student: {json.dumps(list(student), ensure_ascii=False)}   # seen at test time
  auxiliary: {json.dumps(auxiliary, ensure_ascii=False)}   # seen in training only
train: {{epochs: 30, batch_size: 128}}
every_arm:   # searched in each arm on its own
  train.lr: {{float: [1e-4, 1e-2], log: true}}
arms:
  teacher: {{}}   # a reference row: sees all modalities
  student_only: {{}}   # what every method must beat
  kd: {{}}   # its numbers are searched in published ranges; narrow or fix one: kd.temperature: 4
{commented}search: {{trials: 32}}   # for each arm
confirm: {{seeds: 10}}   # on test, at each arm's best settings; and at its published ones, unless defaults: false
report: {{claim: {{arm: kd, against: [student_only]}}}}
"""
