"""A recurrent network, the mean of its states over real steps; trials with it do not stack.

What it says of a sequence does not depend on how far it was padded: the last feature is 1 on real steps, 0 on padding.
B rows, L steps, F features, W width, D embedding width.
"""

from __future__ import annotations

from torch import Tensor, nn

from kdsweep.networks.masking import mean_over_steps, steps_of

READS = ("sequence",)


class Encoder(nn.Module):
    """A gated recurrent unit over the sequence; the mean of its states over real steps, through a layer. -> [B, D].

    Cho et al. Learning Phrase Representations using RNN Encoder-Decoder. arXiv:1406.1078. Trials with it do not stack.

    Args:
        shape: [L, F + 1].
        width: W.
        layers: how many, one on top of the other.
        embedding: D.
    """

    def __init__(self, shape: tuple[int, ...], *, width: int = 64, layers: int = 1, embedding: int = 64) -> None:
        super().__init__()
        self.recurrent = nn.GRU(shape[1] - 1, width, layers, batch_first=True)
        self.out = nn.Linear(width, embedding)
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        features, real = steps_of(x)
        states, _ = self.recurrent(features)
        embedding: Tensor = self.out(mean_over_steps(states, real))
        return embedding
