"""What frozen models say is computed once, lies in the store, and has the bits of what was computed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kdsweep.engine import evaluation
from kdsweep.engine.build import frozen, parts
from kdsweep.engine.loop import run
from kdsweep.engine.workers import Workers
from kdsweep.run import frozen as heard
from kdsweep.run.store import Results
from tests.helpers.trials import DATA, distilled

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _everything_is_kept(monkeypatch):
    monkeypatch.setattr(heard, "WORTH_KEEPING", 0.0)


def files(root: Path) -> list[Path]:
    return sorted(root.rglob("*.safetensors"))


def outcome(asked, trainer, results):
    recall = heard.shared(asked, results, device=CPU, workers=Workers())
    (found,) = run([asked], trainer.dataset, DATA, lambda m, r: trainer(m).weights[r], recall=recall)
    return [(point.epoch, point.metric, point.value) for point in found.points]


def test_a_second_reader_reads_what_the_first_has_computed(trainer, tmp_path):
    asked, results = distilled("kd", reads_test=True), Results(tmp_path)
    first = outcome(asked, trainer, results)
    assert len(files(tmp_path)) == 2, "train and test"
    before = [path.stat().st_mtime_ns for path in files(tmp_path)]
    assert outcome(asked, trainer, results) == first == outcome(asked, trainer, Results(tmp_path / "other"))
    assert [path.stat().st_mtime_ns for path in files(tmp_path) if "other" not in str(path)] == before


def test_what_is_read_has_every_bit_of_what_was_computed(trainer, tmp_path):
    asked = distilled("crd")
    seen = parts(asked, trainer.dataset, DATA, CPU)
    model = frozen(asked.teacher, asked, trainer.dataset.card, lambda m, r: trainer(m).weights[r])

    def compute():
        return evaluation.outputs(model, seen["train"], Workers())

    recall = heard.shared(asked, Results(tmp_path), device=CPU, workers=Workers())
    said, again = recall(asked.teacher, "train", compute), recall(asked.teacher, "train", pytest.fail)
    assert all(torch.equal(getattr(said, key), getattr(again, key)) for key in ("logits", "embedding", "present"))


def test_a_file_that_was_cut_short_is_computed_again(trainer, tmp_path):
    asked, results = distilled("kd"), Results(tmp_path)
    whole = outcome(asked, trainer, results)
    (path,) = files(tmp_path)
    path.write_bytes(path.read_bytes()[:200])
    assert outcome(asked, trainer, results) == whole


@pytest.mark.parametrize(
    "change",
    [{"control": "shuffled_within_class"}, {"drop_auxiliary": 0.5}, {"rows": {"train": "other", "valid": "b"}}],
)
def test_other_inputs_are_other_files(change, trainer, tmp_path):
    asked, results = distilled("kd"), Results(tmp_path)
    outcome(asked, trainer, results)
    outcome(replace(asked, **change), trainer, results)
    assert len(files(tmp_path)) == 2
