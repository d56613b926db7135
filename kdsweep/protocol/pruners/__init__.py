"""Pruners: where a search trial stops that falls behind. One file each; the folder is the registry.

A pruner is a function

    thresholds(curves, *, epochs, maximize, **numbers) -> ((epoch, value), ...)

    curves      of the metric, one value an epoch, of every trial of the earlier generations; at least one
    epochs      how many a trial trains
    maximize    whether more of the metric is better
    numbers     its keys under `search.pruner` of a study

Trials carry what it returns, and each judges itself: where its metric is worse than the value at that epoch, it stops
(`kdsweep.engine.stopping`). Equal arguments give equal thresholds. A study names one by `search: {pruner: {kind: …}}`.
"""
