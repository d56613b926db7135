"""Networks of a user's own, for tests."""

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """Reads one modality or two, by their names."""

    def __init__(self, *, width: int = 8, classes: int = 3, modalities: int = 1, features: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features * modalities, width), nn.LayerNorm(width), nn.ReLU())
        self.fc = nn.Linear(width, classes)

    def forward(self, **modalities: Tensor) -> Tensor:
        seen = torch.cat([modalities[name].flatten(1) for name in sorted(modalities)], dim=1)
        return self.fc(self.body(seen))
