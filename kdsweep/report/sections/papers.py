"""The papers of exactly the terms that these trials used, and of the statistics that this report used."""

from __future__ import annotations

import json
import re

import plotly.graph_objects as go

from kdsweep.report.runs import Runs
from kdsweep.report.tables import Link, Row, Table

TITLE = "Papers"
ORDER = 85

ARXIV = re.compile(r"arXiv:\s*(\d{4}\.\d{4,5}|[a-z-]+/\d{7})")
DOI = re.compile(r"\b(10\.\d{4,9}/[^\s,;]+[^\s,;.])")

STATISTICS = {
    "interval": "Satterthwaite. An approximate distribution of estimates of variance components. Biometrics, 1946. "
    "doi:10.2307/3002019",
    "family": "Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics, "
    "1979.",
    "budget": "Dodge, Gururangan, Card, Schwartz, Smith. Show your work: improved reporting of experimental results. "
    "EMNLP 2019. arXiv:1909.03004",
    "interquartile mean, probability of improvement": "Agarwal, Schwarzer, Castro, Courville, Bellemare. Deep "
    "reinforcement learning at the edge of the statistical precipice. NeurIPS 2021. arXiv:2108.13264",
    "sources of variance": "Bouthillier et al. Accounting for variance in machine learning benchmarks. MLSys 2021. "
    "arXiv:2103.03098",
}
EQUIVALENCE = (
    "Schuirmann. A comparison of the two one-sided tests procedure and the power approach. Journal of "
    "Pharmacokinetics and Biopharmaceutics, 1987. doi:10.1007/BF01068419"
)
JACKKNIFE = "Efron, Stein. The jackknife estimate of variance. Annals of Statistics, 1981. doi:10.1214/aos/1176345462"
FOLDS = "Nadeau, Bengio. Inference for the generalization error. Machine Learning, 2003. doi:10.1023/A:1024068626366"


def table(runs: Runs) -> list[Table]:
    used: dict[str, set[str]] = {}
    trials = runs.trials[runs.trials["trial"].isin(set(runs.roles["trial"]))]
    for papers in trials["papers"].dropna().unique():
        for term, paper in json.loads(papers or "{}").items():
            used.setdefault(str(paper), set()).add(str(term))
    rows: list[Row] = [
        {"used by": ", ".join(sorted(terms)), "paper": link(paper)} for paper, terms in sorted(used.items()) if paper
    ]
    statistics = dict(STATISTICS)
    if runs.study["equivalent"] is not None:
        statistics["equivalence"] = EQUIVALENCE
    if not runs.metric.mean:
        statistics["pseudo-values"] = JACKKNIFE
    if runs.study["folds"] > 1:
        statistics["folds"] = FOLDS
    return [
        Table("papers", "Terms.", rows),
        Table("statistics", "Statistics.", [{"used for": use, "paper": link(p)} for use, p in statistics.items()]),
    ]


def figure(runs: Runs) -> go.Figure | None:
    return None


def link(paper: str) -> Link:
    """A citation that leads to its arXiv page or DOI where it names one."""
    if found := ARXIV.search(paper):
        return Link(paper, f"https://arxiv.org/abs/{found[1]}")
    if found := DOI.search(paper):
        return Link(paper, f"https://doi.org/{found[1]}")
    return Link(paper, "")
