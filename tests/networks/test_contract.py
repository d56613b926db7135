"""What every encoder and fusion promises. They are found in their folders: a new one is tested by existing."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call, stack_module_state, vmap

from kdsweep.engine.streams import stream
from kdsweep.networks import ENCODERS, FUSIONS, complete
from kdsweep.networks.network import Network, build
from kdsweep.values.card import Card, Modality

SEQUENCES = [name for name, part in ENCODERS.items() if part.kinds == ("sequence",)]
VIDEOS = [name for name, part in ENCODERS.items() if part.kinds == ("video",)]


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


@pytest.mark.parametrize("name", VIDEOS)
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


SHAPES = {"vector": (5,), "image": (3, 8, 6), "spectrogram": (16, 12), "sequence": (7, 4), "video": (2, 1, 4, 4)}
READS = [(name, kind) for name, part in ENCODERS.items() for kind in part.kinds]


@pytest.mark.parametrize(("name", "kind"), READS)
def test_an_encoder_keeps_its_contract(name, kind):
    """For any kind that it reads: its width, a gradient everywhere, equal under a seed, rows on their own."""
    card = Card({"m": Modality(kind, SHAPES[kind])}, ("a", "b", "c"))
    specification = {"m": complete(name, kind=kind)}

    def make():
        with stream(0, "student"):
            return build(specification, card, needs=("m",), classes=3)

    network = make()
    x, there = (
        torch.randn(4, *SHAPES[kind], generator=torch.Generator().manual_seed(0)),
        torch.ones(4, dtype=torch.bool),
    )
    if kind == "sequence":
        x[..., -1] = 1
    said = network({"m": x}, {"m": there})
    assert said.logits.shape == (4, 3)
    assert said.embedding.shape == (4, network.embedding)
    assert {name: tuple(f.shape[1:]) for name, f in said.features.items()} == network.features
    said.logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert torch.equal(make()({"m": x}, {"m": there}).logits, said.logits)
    alone = network({"m": x[:1]}, {"m": there[:1]}).logits
    assert torch.allclose(alone, said.logits[:1], atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_a_fusion_does_not_look_at_what_is_missing(fusion):
    card = Card({"seen": Modality("vector", (3,)), "hidden": Modality("vector", (2,))}, ("a", "b"))
    mlp = complete("mlp", kind="vector")
    specification = {"seen": mlp, "hidden": mlp, "fusion": complete(fusion)}
    network = build(specification, card, needs=("seen",), any_of=("hidden",), classes=2)
    inputs = {"seen": torch.randn(3, 3), "hidden": torch.randn(3, 2)}
    present = {"seen": torch.tensor([True, True, False]), "hidden": torch.tensor([True, False, True])}
    said = network(inputs, present)
    assert said.present.tolist() == [True, False, False]
    inputs["hidden"] = inputs["hidden"].clone()
    inputs["hidden"][1] = 99.0
    assert torch.equal(network(inputs, present).logits[1], said.logits[1])


@pytest.mark.parametrize("name", ENCODERS)
def test_a_stack_of_networks_says_what_each_says(name):
    kind = ENCODERS[name].kinds[0]
    networks = []
    for seed in (1, 2):
        with stream(seed, "student"):
            card = Card({"m": Modality(kind, SHAPES[kind])}, ("a", "b"))
            networks.append(build({"m": complete(name, kind=kind)}, card, needs=("m",), classes=2))
    if any(isinstance(module, torch.nn.RNNBase) for module in networks[0].modules()):
        pytest.skip("recurrent layers train one by one")
    x = torch.randn(4, *SHAPES[kind], generator=torch.Generator().manual_seed(0))
    if kind == "sequence":
        x[..., -1] = 1
    inputs, there = {"m": x}, {"m": torch.ones(4, dtype=torch.bool)}
    parameters, buffers = stack_module_state(networks)
    said = vmap(lambda p, b: functional_call(networks[0], (p, b), (inputs, there)).logits)(parameters, buffers)
    for number, network in enumerate(networks):
        assert torch.allclose(said[number], network(inputs, there).logits, atol=1e-5)
