"""YAML text becomes plain values with line numbers: no tags, no code, and bounded however it is nested."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from kdsweep.study_file.findings import Findings, Path

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
MAX_DEPTH = 20

# YAML 1.2's numbers. PyYAML follows 1.1, where 1e-3 is text, `on` is true, 010 is 8 and 1:30 is 90.
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for value, text in ((True, "true"), (False, "false")) for word in (text, text.title(), text.upper())
}

_NO_TAGS = "tags are not read (a file must not run code)"


class Reading(NamedTuple):
    """A file's content (None where nothing could be read) and what was wrong so far."""

    value: Any
    findings: Findings


class _Stop(Exception):
    """The text cannot be read beyond this line."""


def read(text: str) -> Reading:
    """The values that `text` stands for. Mistakes in single entries are found and the rest is read."""
    findings = Findings()
    if (size := len(text.encode(errors="replace"))) > MAX_BYTES:
        findings.refuse_line(0, f"a study file has at most {MAX_BYTES} bytes, got {size}")
        return Reading(None, findings)
    try:
        value = _Builder(findings).document(text)
    except _Stop as stop:
        findings.refuse_line(*stop.args)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        findings.refuse_line(line, f"a study file is printable text, got the character U+{error.character:04X}")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        findings.refuse_line(line, _syntax(error, text.splitlines()[line - 1 : line]))
    else:
        return Reading(value, findings)
    return Reading(None, findings)


def _syntax(error: yaml.MarkedYAMLError, lines: list[str]) -> str:
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in lines):
        return "YAML is indented with spaces, got a tab"
    return f"not YAML: {' '.join(filter(None, (error.context, error.problem)))}"


class _Builder:
    """Builds values from the parser's events, so that depth and size are known before anything is built."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.nodes = 0
        # Values by anchor, with how many nodes each stands for.
        self.anchors: dict[str, tuple[Any, int]] = {}

    def document(self, text: str) -> Any:
        events: Iterator[Any] = iter(yaml.parse(text, Loader=yaml.SafeLoader))
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):  # where a document begins otherwise
            raise _Stop(1, "the file is empty: expected data and arms")
        value = self.node(next(events), events, ())
        next(events)
        if not isinstance(after := next(events), yaml.StreamEndEvent):
            raise _Stop(after.start_mark.line + 1, "a study file is one YAML document, got a second one")
        return value

    def node(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        line = event.start_mark.line + 1
        self.findings.lines.setdefault(path, line)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise _Stop(line, f"the alias *{event.anchor} needs an anchor &{event.anchor} that ends before it")
            value, size = self.anchors[event.anchor]
            self.count(size, line)
            return value
        if len(path) > MAX_DEPTH:
            raise _Stop(line, f"a study file is at most {MAX_DEPTH} levels deep")
        before = self.nodes
        self.count(1, line)
        match event:
            case yaml.MappingStartEvent():
                value = self.mapping(events, path)
            case yaml.SequenceStartEvent():
                value = []
                while not isinstance(entry := next(events), yaml.SequenceEndEvent):
                    value.append(self.node(entry, events, (*path, len(value))))
            case _:
                value = event.value if event.style is not None else self.plain(event.value, path)
        if event.tag is not None:
            self.unreadable(path, f"{_NO_TAGS}: remove {event.tag!r}")
            value = None
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, self.nodes - before)
        return value

    def mapping(self, events: Iterator[Any], path: Path) -> dict[str, Any]:
        """Keys are text, whatever they look like. Of a key that is written twice, the first counts."""
        value: dict[str, Any] = {}
        first: dict[str, int] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            line = event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise _Stop(line, "a key is a word, got a list, a mapping or an alias")
            if event.tag is not None:
                raise _Stop(line, f"{_NO_TAGS}: remove {event.tag!r}")
            key = event.value
            if key in value or key == "<<":
                again = f"the key {key!r} is written twice, first in line {first[key]}" if key in first else ""
                self.findings.refuse_line(line, again or "merging with << is not read: write the keys out")
                self.node(next(events), events, (*path, f"{key} again"))
                continue
            first[key] = self.findings.lines[(*path, key)] = line
            value[key] = self.node(next(events), events, (*path, key))
        return value

    def plain(self, text: str, path: Path) -> Any:
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            if len(text) <= 18:
                return int(text)
            self.unreadable(path, f"a whole number has at most 18 digits, got {text[:24]}…")
            return None
        if not _FLOAT.fullmatch(text):
            return text
        number = float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        if math.isfinite(number):
            return number
        self.unreadable(path, f"a number must be finite, got {text}")
        return None

    def unreadable(self, path: Path, message: str) -> None:
        self.findings.refuse(path, message)
        self.findings.unreadable.add(path)

    def count(self, nodes: int, line: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            raise _Stop(line, f"a study file has at most {MAX_NODES} entries, aliases counted in full")
