"""What frozen models say of the data, computed once for all who read it, and memory-mapped from the store.

A file appears whole or not at all, and two who write it write the same: whoever is killed, and whoever comes first,
changes nothing. Losing it costs its computation.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from kdsweep.engine import REVISION
from kdsweep.engine.frozen import Recall
from kdsweep.engine.workers import Workers
from kdsweep.objective.batch import Outputs
from kdsweep.run.store import Results
from kdsweep.values.card import Part
from kdsweep.values.trial import Given, Trial, digest

# Seconds to compute what is worth a file: below, reading it is no faster.
WORTH_KEEPING = 0.5


def shared(reader: Trial, results: Results, *, device: torch.device, workers: Workers) -> Recall:
    """How a trial and its pack mates recall what frozen models say: through the store where it is a folder.

    Of an augmented study nothing is kept: its inputs are other ones each time. Nor with several workers, who compute
    it together.
    """
    if "://" in results.root or workers.size > 1 or reader.augment:
        return lambda model, part, compute: compute()
    return partial(_recall, reader, results, device)


def _recall(
    reader: Trial,
    results: Results,
    device: torch.device,
    model: Trial | Given,
    part: Part,
    compute: Callable[[], Outputs],
) -> Outputs:
    name = f"{model.id}/{_key(reader, part, device)}"
    path = Path(results.root) / "heard" / f"{name}.safetensors"
    # A file that a broken disk cut short is computed again.
    with contextlib.suppress(FileNotFoundError, safetensors.SafetensorError):
        found = safetensors.torch.load_file(path, device=str(device))
        return Outputs(**{key: found.pop(key) for key in ("logits", "embedding", "present")}, features=found)
    began = time.perf_counter()
    said = compute()
    if time.perf_counter() - began >= WORTH_KEEPING:
        tensors = {"logits": said.logits, "embedding": said.embedding, "present": said.present, **said.features}
        results.write_heard(name, safetensors.torch.save({key: value.contiguous() for key, value in tensors.items()}))
    return said


def _key(reader: Trial, part: Part, device: torch.device) -> str:
    """A digest of all that decides what a model says of a part as this trial sees it."""
    return digest(
        {
            "revision": REVISION,
            "fingerprint": reader.fingerprint,
            "rows": [reader.rows[part], reader.rows["train"]],
            "part": part,
            "student": reader.student,
            "auxiliary": reader.auxiliary,
            "control": reader.control,
            "standardise": reader.standardise,
            "drop_auxiliary": reader.drop_auxiliary,
            "device": device.type,
        }
    )
