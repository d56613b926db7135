"""What a study says of a network, written out in full: equal networks have equal specifications. Read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdsweep.networks.registry import DEFAULT_ENCODER, ENCODERS, FUSIONS
from kdsweep.values import user_code as sources
from kdsweep.values.card import Kind

# What a place may say beside its part, with the defaults, which are left out.
OPTIONS: Mapping[str, Any] = {"weights": None, "freeze": False, "lr_scale": 1.0}
# A role that is one module of the user's own, and what else it may say.
MODULE = "module"
SHOWN = ("embedding", "features", "head")


def complete(part: str | Mapping[str, Any] | None, *, kind: Kind | None = None) -> dict[str, Any]:
    """A part's specification in full: `"mlp"`, `{"mlp": {"hidden": [32]}}` or None become {name: every argument}.

    Args:
        kind: the modality's kind for an encoder; None for a fusion.

    Raises:
        ValueError: no such part, one that does not read this kind, or an argument or option that it does not take.
    """
    table = FUSIONS if kind is None else ENCODERS
    if part is None:
        part = {}
    if isinstance(part, str):
        part = {part: {}}
    names = [name for name in part if name not in OPTIONS]
    if len(names) > 1:
        raise ValueError(f"one encoder or fusion a place, got {', '.join(map(str, names))}")
    name = names[0] if names else "concat" if kind is None else DEFAULT_ENCODER[kind]
    arguments, beside = part.get(name), options(part)
    if not isinstance(arguments, Mapping | None):
        raise ValueError(f"the arguments of {name} are a mapping, got {arguments!r}")
    if ":" in name:
        return {**sources.named(name, arguments, what="a network"), **beside}
    if name not in table:
        raise ValueError(f"no {'fusion' if kind is None else 'encoder'} {name!r}: found {', '.join(sorted(table))}")
    if kind is not None and kind not in table[name].kinds:
        raise ValueError(f"encoder {name!r} reads {', '.join(table[name].kinds)}, got kind {kind!r}")
    arguments = dict(arguments or {})
    for argument in arguments:
        if argument not in table[name].defaults:
            raise ValueError(f"{name!r} takes {', '.join(table[name].defaults)}, got {argument!r}")
    return {name: {**table[name].defaults, **arguments}, **beside}


def complete_module(role: Mapping[str, Any]) -> dict[str, Any]:
    """The specification of a role that is one module of the user's own, in full.

    Raises:
        ValueError: it is not one callable, or says something else beside.
    """
    if unknown := [key for key in role if key not in (MODULE, *SHOWN, *OPTIONS)]:
        raise ValueError(f"a role of one module has {', '.join((MODULE, *SHOWN, *OPTIONS))}, got {unknown[0]!r}")
    module = {role[MODULE]: {}} if isinstance(role[MODULE], str) else role[MODULE]
    if not isinstance(module, Mapping) or len(module) != 1 or ":" not in next(iter(module)):
        raise ValueError(f"module is package.module:callable, or that with its arguments, got {role[MODULE]!r}")
    ((name, arguments),) = module.items()
    if not isinstance(arguments, Mapping | None):
        raise ValueError(f"the arguments of {name} are a mapping, got {arguments!r}")
    features = role.get("features") or {}
    if not isinstance(features, Mapping) or not all(isinstance(submodule, str) for submodule in features.values()):
        raise ValueError(f"features names submodules, such as {{map: layer3}}, got {features!r}")
    for key in ("embedding", "head"):
        if not isinstance(role.get(key, ""), str):
            raise ValueError(f"{key} is the name of a submodule, got {role[key]!r}")
    shown = {"embedding": role.get("embedding", ""), "features": dict(features), "head": role.get("head", "")}
    return {MODULE: sources.named(name, arguments, what="a network"), **shown, **options(role)}


def options(part: Mapping[str, Any]) -> dict[str, Any]:
    """What a place says beside its part, where that is not the default; weights by their bytes.

    Raises:
        ValueError: an option is of the wrong kind, or the weights cannot be read.
    """
    chosen: dict[str, Any] = {}
    weights, freeze, scale = (part.get(name, default) for name, default in OPTIONS.items())
    if weights is not None:
        chosen["weights"] = dict(weights) if isinstance(weights, Mapping) else sources.weights(weights)
    if not isinstance(freeze, bool):
        raise ValueError(f"freeze is true or false, got {freeze!r}")
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not scale > 0:
        raise ValueError(f"lr_scale is a number above 0, got {scale!r}")
    if freeze:
        chosen["freeze"] = True
    elif scale != 1:
        chosen["lr_scale"] = float(scale)
    return chosen


def name_of(part: Mapping[str, Any]) -> str:
    """The name of the part that a specification in full is about."""
    return next(name for name in part if name not in OPTIONS)
