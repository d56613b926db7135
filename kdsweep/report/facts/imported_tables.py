"""Tables of runs that somebody else made: read, and refused where they cannot be what they say.

runs    arm, seed, metric, value          and where there are any: fold

Every cell is read as text: None, NaN and 01 are names like any other.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from kdsweep.tasks.registry import METRICS

RunKey = tuple[str, int, int]  # arm, seed, fold
KEYS = ["arm", "seed", "fold"]
RUNS = ("arm", "seed", "metric", "value")
SEPARATORS = ",;\t"
WHOLE = re.compile(r"[+-]?\d+(\.0+)?")
NOTHING = "(empty)"  # a name of no letters, as a page shows it
# The ends of metrics that are neither shares nor errors.
CORRELATIONS = ("pearson", "ccc")


class Scores(NamedTuple):
    """What runs scored.

    Attributes:
        table: a row for each run and metric: arm, seed, fold, metric, value (a share from 0 to 1; NaN where the run
            failed), and `slack`: half a unit of the last digit that was written.
        percent: metrics whose values are per cent in the file.
    """

    table: pd.DataFrame
    percent: tuple[str, ...]


def read_scores(path: Path, metric: str) -> Scores:
    """A row for each run and metric.

    Raises:
        ValueError: a column lacks, a run is there twice, a value is none of its metric, or an arm has none of this one.
    """
    table = read_table(path, "runs", RUNS)
    table = table.assign(metric=table["metric"].str.lower().str.removeprefix("test/"))
    if unknown := sorted(set(table["metric"]) - set(METRICS)):
        raise ValueError(f"{path}: a metric is one of {', '.join(METRICS)}, got {unknown[0]!r}")
    twice = table[table.duplicated([*KEYS, "metric"])]
    if len(twice):
        arm, seed, name = twice.iloc[0][["arm", "seed", "metric"]]
        raise ValueError(f"{path}: a run has one value a metric, got two for {arm}, seed {seed}, {name}")
    if metric not in set(table["metric"]):
        known = ", ".join(table["metric"].unique())
        raise ValueError(f"{path}: the metric that is compared is one of {known}, got {metric!r}")
    having = set(table.loc[table["metric"] == metric, "arm"])
    if without := [arm for arm in table["arm"].unique() if arm not in having]:
        raise ValueError(f"{path}: every arm has values of the metric that is compared, got {without[0]} without")
    _check_case(table["arm"], path)
    parts = [_measured(rows, str(name), path) for name, rows in table.groupby("metric", sort=False)]
    percent = tuple(part["metric"].iloc[0] for part in parts if part["percent"].any())
    return Scores(pd.concat(parts).sort_index().drop(columns="percent"), percent)


def read_table(path: Path, kind: str, needs: tuple[str, ...]) -> pd.DataFrame:
    """A table of texts, whose keys are names and whole numbers; lists of a Parquet file stay what they are.

    Raises:
        ValueError: it is no table, a column lacks, or a row lacks a key.
    """
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else _csv(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {kind} are a table, as .csv or .parquet: {str(error).splitlines()[0]}") from error
    table = table.rename(columns=lambda name: str(name).strip().lower())
    if missing := [column for column in needs if column not in table]:
        raise ValueError(f"{path}: {kind} need the columns {', '.join(needs)}; {', '.join(missing)} is not there")
    table = pd.DataFrame({name: _texts(column) for name, column in table.items()})
    if "fold" not in table:
        table = table.assign(fold="0")
    if table.empty or (table[["seed", "fold"]] == "").any(axis=None):
        raise ValueError(f"{path}: {kind} have a row for each run, and none without its arm and seed")
    for column in ("seed", "fold"):
        if len(odd := table.loc[~table[column].str.fullmatch(WHOLE), column]):
            raise ValueError(f"{path}: seeds and folds are whole numbers, got {odd.iloc[0]!r}")
        table[column] = table[column].astype(float).astype(int)
    return table.assign(arm=names(table["arm"]))


def names(column: pd.Series) -> pd.Series:
    """Texts as names: 1.0 is the 1 of another table, and one of no letters can be seen."""
    return column.str.replace(r"^([+-]?\d+)\.0+$", r"\1", regex=True).replace("", NOTHING)


def _csv(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig") as file:
        head = file.readline()
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(
                path,
                sep=max(SEPARATORS, key=head.count),
                dtype=str,
                na_filter=False,
                index_col=False,
                encoding="utf-8-sig",
            )
        except pd.errors.ParserWarning as warning:
            raise ValueError("a row has more cells than there are heads") from warning


def _texts(column: pd.Series) -> pd.Series:
    if column.map(lambda cell: isinstance(cell, list | tuple | np.ndarray)).any():
        return column
    return column.astype(object).where(column.notna(), "").astype(str).str.strip()


def _measured(rows: pd.DataFrame, metric: str, path: Path) -> pd.DataFrame:
    """One metric's rows with their values as numbers, shares from 0 to 1."""
    marked = rows["value"].str.endswith("%")
    texts = rows["value"].str.removesuffix("%").str.strip()
    values = pd.to_numeric(texts, errors="coerce").astype(float)
    # A word says that a run failed; what holds a digit was meant as a number.
    if len(odd := rows.loc[values.isna() & texts.str.contains(r"\d"), "value"]):
        raise ValueError(
            f"{path}: a value is a number such as 0.874, or empty where the run failed, got {odd.iloc[0]!r}"
        )
    values = values.where(np.isfinite(values))
    there, percent = values.dropna(), False
    if METRICS[metric].unit == "%":
        percent = bool(len(there)) and _percent(there, marked[there.index], metric, path)
        low, high = 0.0, 100.0 if percent else 1.0
    else:
        low, high = (-1.0, 1.0) if metric in CORRELATIONS else (-np.inf if METRICS[metric].maximize else 0.0, np.inf)
    if len(wrong := there[(there < low) | (there > high)]):
        raise ValueError(f"{path}: {metric} lies between {low:g} and {high:g}, got {wrong.iloc[0]:g}")
    scale = 100.0 if percent else 1.0
    digits = texts.str.extract(r"\.(\d+)$", expand=False).fillna("").str.len()
    return rows.assign(value=values / scale, slack=0.5 * 10.0**-digits / scale, percent=percent)


def _percent(values: pd.Series, marked: pd.Series, metric: str, path: Path) -> bool:
    """Whether shares are written as per cent: by the range of the whole column, since no single value tells."""
    if marked.any():
        if not marked.all():
            raise ValueError(f"{path}: values of {metric} all have a % or none has, got some with it")
        return True
    if not (values > 1).any():
        return False
    if len(small := values[(values > 0) & (values <= 1)]):
        raise ValueError(
            f"{path}: values of {metric} are all shares, from 0 to 1, or all per cent, got {small.iloc[0]:g} beside "
            f"{values.max():g}"
        )
    return True


def _check_case(arms: pd.Series, path: Path) -> None:
    by_letters: dict[str, str] = {}
    for arm in arms.unique():
        other = by_letters.setdefault(str(arm).casefold(), str(arm))
        if other != arm:
            raise ValueError(f"{path}: arms differ in more than capital letters, got {other} and {arm}")
