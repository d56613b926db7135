"""The JSON Schema of a study file, for editors."""

from __future__ import annotations

from typing import Any

from kdsweep import methods
from kdsweep.protocol.samplers import registry as samplers
from kdsweep.study_file.ablation import WORDS
from kdsweep.study_file.sections import File
from kdsweep.values.study import SEARCHABLE_TRAIN

_ENDS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_VALUE = {"type": ["number", "string", "boolean"]}
_TERMS = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def schema() -> dict[str, Any]:
    """What a study file may hold, as JSON Schema 2020-12: completion and a first check, before `validate`."""
    whole = File.model_json_schema()
    parts = whole["$defs"]
    parts["Range"] = {
        "description": "a number that is searched",
        "oneOf": [
            _mapping({"float": _ENDS, "log": {"type": "boolean"}}, required=["float"]),
            _mapping({"int": _ENDS, "log": {"type": "boolean"}}, required=["int"]),
            _mapping({"choice": {"type": "array", "items": _VALUE, "minItems": 1}}, required=["choice"]),
        ],
    }
    setting = {"anyOf": [_VALUE, {"$ref": "#/$defs/Range"}]}
    parts["Arm"] = {
        "type": ["object", "null"],
        "description": "a method's numbers and choices by name, ranges or values; {} where it has none",
        "properties": {
            "use": {
                "type": "string",
                "description": f"default: the arm's name; {', '.join(methods.names())}, or yours",
            },
            "teacher": {"type": "string", "description": "multimodal, unimodal or an auxiliary modality"},
            "label": {"type": "string", "description": "the words that the report prints"},
        },
        "additionalProperties": setting,
    }
    keys = whole["properties"]
    keys["arms"] |= {"additionalProperties": {"$ref": "#/$defs/Arm"}, "minProperties": 1}
    keys["every_arm"]["additionalProperties"] = setting
    keys["data"] = {"$ref": "#/$defs/Data"}
    for name in SEARCHABLE_TRAIN:
        train = parts["Train"]["properties"]
        train[name] = {"anyOf": [train[name], {"$ref": "#/$defs/Range"}]}
    parts["Search"]["properties"]["sampler"] |= {"anyOf": [{"enum": samplers.names()}, {"pattern": ".:."}]}
    parts["Ablate"]["properties"]["rows"]["items"] = {
        "anyOf": [
            {"enum": list(WORDS)},
            _mapping({"without": _TERMS}, required=["without"]),
            _mapping({"set": {"type": "object", "minProperties": 1}}, required=["set"]),
            _mapping({"each": {"type": "object", "additionalProperties": {"type": "array"}}}, required=["each"]),
        ]
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "title": "kdsweep study",
        "required": ["data", "arms"],
    }


def _mapping(properties: dict[str, Any], *, required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
