"""The cnn, averaged over time alone: a pitch stays apart from another.

B rows, D embedding width, Ch channels, F bins, T frames.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from kdsweep.networks.encoders import cnn

READS = ("spectrogram",)


class Encoder(nn.Module):
    """The stages of `CNN`, averaged over time alone, then a layer on what each bin holds. [B, Ch, F, T] -> [B, D].

    Args:
        shape: of one sample, [bins, frames] or [channels, bins, frames].
        channels: width of each stage.
        embedding: D.
    """

    inner = ("map",)

    def __init__(self, shape: tuple[int, ...], *, channels: Sequence[int] = (16, 32), embedding: int = 64) -> None:
        super().__init__()
        stages = cnn.Encoder(shape, channels=channels, embedding=embedding)
        self.map, self.shape = stages.map, stages.shape
        self.out = nn.Linear(self.shape[0] * self.shape[1], embedding)
        self.embedding = embedding

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        feature_map = self.map(x if x.dim() == 4 else x[:, None])
        return self.out(feature_map.mean(3).flatten(1)), {"map": feature_map}
