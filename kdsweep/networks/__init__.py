"""Networks by name: an encoder for each modality, a fusion of several, a head.

A specification says, for one role, which encoder reads each modality and how they are fused:

    {"top": {"mlp": {"hidden": [64], "embedding": 64}}, "bottom": {"mlp": {}}, "fusion": {"concat": {}}}

`complete` writes short forms out in full, so that equal networks have equal specifications. Encoders and fusions are
found in their folders, one a file, and read without torch.

Instead of a name there may be a user's own `package.module:callable`: called with one sample's shape (a fusion: with
the embedding widths by name) and its arguments as keywords, it returns an nn.Module with a whole number `embedding`
that maps [B, *shape] (a fusion: two mappings by name, embeddings [B, D] and presence [B] bool) to [B, embedding].
Beside the name a place may say

    weights     a safetensors file that the part starts from
    freeze      true: the part stays as it is
    lr_scale    factor of its learning rate

A role may instead be one module of the user's own (`kdsweep.networks.whole`), with these keys, too:

    {"module": {"package.module:callable": {}}, "embedding": "layer4", "features": {"map": "layer3"}, "head": "fc"}
"""

from kdsweep.networks.registry import DEFAULT_ENCODER, ENCODERS, FUSIONS, Part
from kdsweep.networks.specification import MODULE, OPTIONS, SHOWN, complete, complete_module, name_of

__all__ = [
    "DEFAULT_ENCODER",
    "ENCODERS",
    "FUSIONS",
    "MODULE",
    "OPTIONS",
    "SHOWN",
    "Part",
    "complete",
    "complete_module",
    "name_of",
]
