"""Samplers: what a search tries next. One file each; the folder is the registry. Read without Optuna.

A sampler is a function

    propose(space, history, *, size, maximize, seed) -> points

    space       ranges by name (`kdsweep.values.space`): Float, Int and Choice; never empty
    history     every earlier point of this search (`kdsweep.values.result.Tried`), in the order in which they were
                proposed; never empty: a search begins with the study's first points and a Sobol sequence, whatever
                its sampler
    size        how many points
    maximize    whether more of the metric is better
    seed        a whole number, 0 or more: of everything that it draws

that returns `size` points, each a value inside its range for every name. Equal arguments give equal points, in any
process: it keeps nothing between calls, and draws from nothing but `seed`.

A module's docstring says what it is; `propose` stands in it. Beside those in this folder, a study may name a user's
own: `search: {sampler: "package.module:callable"}`. Its source is part of what a search's stored points are found by.
`kdsweep.testing.check_sampler` checks all of this.
"""
