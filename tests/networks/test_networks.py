"""Networks of a user's own, and what is written about those that are shipped."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

from kdsweep.networks import complete
from kdsweep.networks.network import build
from kdsweep.values.card import Card, Modality

ROOT = Path(__file__).parent.parent.parent
OWN = """
from torch import nn

class Net(nn.Module):
    def __init__(self, shape, *, width=6):
        super().__init__()
        self.layer, self.embedding = nn.Linear(shape[0], width), width

    def forward(self, x):
        return self.layer(x)

class Sum(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.embedding = next(iter(widths.values()))

    def forward(self, embeddings, present):
        return sum(embeddings[name] * present[name][:, None] for name in embeddings)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "my_nets.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_nets", raising=False)
    return tmp_path / "my_nets.py"


def test_a_users_own_module_is_an_encoder_or_a_fusion(own):
    card = Card({"x": Modality("vector", (3,)), "y": Modality("vector", (2,))}, ("a", "b"))
    specification = {
        "x": complete({"my_nets:Net": {"width": 4}}, kind="vector"),
        "y": complete({"my_nets:Net": {"width": 4}}, kind="vector"),
        "fusion": complete("my_nets:Sum"),
    }
    network = build(specification, card, needs=("x",), any_of=("y",), classes=2)
    there = torch.ones(5, dtype=torch.bool)
    said = network({"x": torch.randn(5, 3), "y": torch.randn(5, 2)}, {"x": there, "y": there})
    assert said.embedding.shape == (5, 4)


def test_an_edited_module_is_another_network(own):
    before = complete("my_nets:Net", kind="vector")
    assert complete("my_nets:Net", kind="vector") == before
    assert complete(before, kind="vector") == before
    own.write_text(OWN.replace("width=6", "width=7"))
    assert complete("my_nets:Net", kind="vector") != before


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="cannot import 'my_other_nets:Net'"):
        complete("my_other_nets:Net", kind="vector")


def test_the_documented_network_is_an_encoder(tmp_path, monkeypatch):
    """docs/networks.md: its class can be named in a study."""
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "networks.md").read_text(), re.DOTALL)
    (tmp_path / "my_documented_nets.py").write_text(snippet)
    monkeypatch.syspath_prepend(tmp_path)
    network = build(
        {"m": complete({"my_documented_nets:Net": {"width": 5}}, kind="image")},
        Card({"m": Modality("image", (1, 4, 4))}, ("a", "b")),
        needs=("m",),
        classes=2,
    )
    said = network({"m": torch.zeros(3, 1, 4, 4)}, {"m": torch.ones(3, dtype=torch.bool)})
    assert said.embedding.shape == (3, 5)


def test_the_tables_of_the_documentation_are_up_to_date():
    spec = importlib.util.spec_from_file_location("make_networks", ROOT / "docs" / "make_networks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "networks.md").read_text() == module.page(), "run: make docs"
