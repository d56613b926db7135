"""Which encoders and fusions there are: one a file of `encoders/` and of `fusions/`, whose head is read without torch.

A file has
    a docstring     its first line says what the network is
    READS           an encoder's: the kinds of modality that it understands
    Encoder, Fusion the class. An encoder is made from one sample's shape, a fusion from embedding widths by modality;
                    the keyword arguments of its `__init__`, with their defaults, are what a study may set
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdsweep.values.card import Kind


@dataclass(frozen=True)
class Part:
    """An encoder or a fusion: where its class is, what it reads, and its arguments with their defaults."""

    home: str
    summary: str
    kinds: tuple[Kind, ...]
    defaults: Mapping[str, Any]


def _read(folder: str, made: str) -> dict[str, Part]:
    """Every part of a folder by name, from its source: importing one would load torch."""
    files = sorted((Path(__file__).parent / folder).glob("[!_]*.py"))
    return {file.stem: _part(f"kdsweep.networks.{folder}.{file.stem}:{made}", file, made) for file in files}


def _part(home: str, file: Path, made: str) -> Part:
    tree = ast.parse(file.read_text())
    (init,) = (
        method
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == made
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
    )
    kinds: tuple[Kind, ...] = ()
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "READS":
            kinds = ast.literal_eval(node.value)
    defaults = {
        argument.arg: _as_yaml(ast.literal_eval(default))
        for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)
        if default is not None
    }
    return Part(home, (ast.get_docstring(tree) or "").partition("\n")[0], kinds, defaults)


def _as_yaml(value: Any) -> Any:
    """A study file has lists where a signature has tuples."""
    return list(value) if isinstance(value, tuple) else value


ENCODERS = _read("encoders", "Encoder")
FUSIONS = _read("fusions", "Fusion")
DEFAULT_ENCODER: Mapping[Kind, str] = {
    "vector": "mlp",
    "image": "cnn",
    "spectrogram": "spectrogram",
    "sequence": "tcn",
    "video": "frames",
}
