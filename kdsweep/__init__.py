"""kdsweep: which cross-modal distillation objective works, which of its terms matter, and how sure we can be."""

__version__ = "0.1.0"
