"""Networks beyond their common contract: padding, missing modalities, motion, and a user's own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from kdsweep.engine.streams import stream
from kdsweep.networks import ENCODERS, FUSIONS, complete
from kdsweep.networks.network import Network, build
from kdsweep.values.card import Card, Modality

ROOT = Path(__file__).parent.parent.parent
SEQUENCES = [name for name, part in ENCODERS.items() if part.kinds == ("sequence",)]


def encoder_for(name: str, shape: tuple[int, ...], kind: str) -> Network:
    with stream(0, "student"):
        return build(
            {"m": complete(name, kind=kind)}, Card({"m": Modality(kind, shape)}, ("a", "b")), needs=("m",), classes=2
        )


def padded(lengths: list[int], longest: int, seed: int = 0) -> torch.Tensor:
    drawn = torch.randn(len(lengths), 12, 3, generator=torch.Generator().manual_seed(seed))[:, :longest]
    real = (torch.arange(longest) < torch.tensor(lengths)[:, None])[..., None].float()
    return torch.cat([drawn * real, real], dim=2)


@pytest.mark.parametrize("name", SEQUENCES)
def test_padding_further_changes_nothing(name):
    short, long = padded([5, 3, 1], 5), padded([5, 3, 1], 12)
    brief, lengthy = encoder_for(name, (5, 4), "sequence"), encoder_for(name, (12, 4), "sequence")
    there = {"m": torch.ones(3, dtype=torch.bool)}
    assert torch.allclose(brief({"m": short}, there).logits, lengthy({"m": long}, there).logits, atol=1e-5)


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence_without_any_step_gives_finite_values_and_gradients(name):
    network = encoder_for(name, (6, 4), "sequence")
    x = padded([4, 0], 6).requires_grad_()
    network({"m": x}, {"m": torch.tensor([True, False])}).logits.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", SEQUENCES)
def test_a_sequence_is_read_in_its_order(name):
    network, x = encoder_for(name, (6, 4), "sequence"), padded([6], 6)
    there = {"m": torch.ones(1, dtype=torch.bool)}
    assert not torch.allclose(network({"m": x}, there).logits, network({"m": x.flip(1)}, there).logits, atol=1e-4)


@pytest.mark.parametrize("name", ["frames", "cnn3d"])
def test_a_video_encoder_sees_motion(name):
    """Frames of which half are one picture and half another: whether they alternate is all that differs."""
    network = encoder_for(name, (6, 1, 8, 8), "video")
    one, other = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)), torch.zeros(1, 1, 8, 8)
    there = {"m": torch.ones(1, dtype=torch.bool)}
    still = torch.stack([one, one, one, other, other, other], dim=1)
    alternating = torch.stack([one, other, one, other, one, other], dim=1)
    assert not torch.allclose(network({"m": still}, there).logits, network({"m": alternating}, there).logits, atol=1e-4)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_fusion_tells_a_missing_modality_from_a_zero_one(fusion):
    with stream(0, "teacher"):
        found = build(
            {"x": complete("mlp", kind="vector"), "y": complete("mlp", kind="vector"), "fusion": complete(fusion)},
            Card({"x": Modality("vector", (3,)), "y": Modality("vector", (2,))}, ("a", "b")),
            needs=("x",),
            any_of=("y",),
            classes=2,
        ).fusion
    assert found is not None
    embeddings = {"x": torch.ones(2, 64), "y": torch.zeros(2, 64)}
    said = found(embeddings, {"x": torch.ones(2, dtype=torch.bool), "y": torch.tensor([True, False])})
    assert not torch.allclose(said[0], said[1])
    nothing = found(embeddings, {"x": torch.zeros(2, dtype=torch.bool), "y": torch.zeros(2, dtype=torch.bool)})
    assert nothing.isfinite().all()


STACKING = [
    (name, kind, shape)
    for name, kind, shape in [
        ("mlp", "vector", (5,)),
        ("cnn", "spectrogram", (8, 6)),
        ("tcn", "sequence", (7, 4)),
        ("transformer", "sequence", (7, 4)),
        ("frames", "video", (3, 1, 8, 8)),
        ("cnn3d", "video", (3, 1, 8, 8)),
    ]
]


@pytest.mark.parametrize(("name", "kind", "shape"), STACKING)
def test_a_stack_of_networks_says_what_each_says(name, kind, shape):
    networks = []
    for seed in (1, 2):
        with stream(seed, "student"):
            card = Card({"m": Modality(kind, shape)}, ("a", "b"))
            networks.append(build({"m": complete(name, kind=kind)}, card, needs=("m",), classes=2))
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    if kind == "sequence":
        x[..., -1] = 1
    inputs, there = {"m": x}, {"m": torch.ones(4, dtype=torch.bool)}
    parameters, buffers = stack_module_state(networks)
    said = vmap(lambda p, b: functional_call(networks[0], (p, b), (inputs, there)).logits)(parameters, buffers)
    for number, network in enumerate(networks):
        assert torch.allclose(said[number], network(inputs, there).logits, atol=1e-5)


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


def test_the_documentation_names_every_network():
    text = (ROOT / "docs" / "networks.md").read_text()
    assert not [name for name in (*ENCODERS, *FUSIONS) if f"| `{name}`" not in text]
