"""What a store holds, as values that two stores can be compared by."""

from __future__ import annotations

from kdsweep.run.store import Results


def rows(results: Results) -> list[tuple]:
    """Every number in a store but the seconds."""
    curves = results.curves(results.known())
    states = {id_: (result.state, result.selected) for id_, result in results.known().items()}
    columns = (curves.trial, curves.epoch, curves.metric, curves.value)
    return sorted((*row, *states[row[0]]) for row in zip(*(column.tolist() for column in columns), strict=True))


def roles(results: Results, name: str) -> list[tuple]:
    return sorted(tuple(role.values()) for role in results.read_rows(name, "index"))
