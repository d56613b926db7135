"""Datasets that are shipped: one a file, each with `card(**options)` and `load(**options) -> Dataset`."""
