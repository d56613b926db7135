"""The papers of exactly the terms that these trials used, and of the statistics that this report used."""

from __future__ import annotations

import json

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.bibtex import ARXIV, DOI
from kdsweep.report.render.tables import Link, Row, Table

TITLE = "Papers"
ORDER = 85

STATISTICS = {
    "interval": "Satterthwaite. An approximate distribution of estimates of variance components. Biometrics, 1946. "
    "doi:10.2307/3002019",
    "family": "Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics, "
    "1979.",
    "budget": "Dodge, Gururangan, Card, Schwartz, Smith. Show your work: improved reporting of experimental results. "
    "EMNLP 2019. arXiv:1909.03004",
    "interquartile mean, probability of improvement, performance profile": "Agarwal, Schwarzer, Castro, Courville, "
    "Bellemare. Deep reinforcement learning at the edge of the statistical precipice. NeurIPS 2021. arXiv:2108.13264",
    "signed-rank test": "Wilcoxon. Individual comparisons by ranking methods. Biometrics Bulletin, 1945. "
    "doi:10.2307/3001968",
    "almost stochastic order": "Dror, Shlomov, Reichart. Deep dominance: how to properly compare deep neural models. "
    "ACL 2019. doi:10.18653/v1/P19-1266",
    "sources of variance": "Bouthillier et al. Accounting for variance in machine learning benchmarks. MLSys 2021. "
    "arXiv:2103.03098",
}
EQUIVALENCE = (
    "Schuirmann. A comparison of the two one-sided tests procedure and the power approach. Journal of "
    "Pharmacokinetics and Biopharmaceutics, 1987. doi:10.1007/BF01068419"
)
BAYES = (
    "Benavoli, Corani, Demsar, Zaffalon. Time for a change: a tutorial for comparing multiple classifiers through "
    "Bayesian analysis. JMLR, 2017. arXiv:1606.04316"
)
JACKKNIFE = "Efron, Stein. The jackknife estimate of variance. Annals of Statistics, 1981. doi:10.1214/aos/1176345462"
FOLDS = "Nadeau, Bengio. Inference for the generalization error. Machine Learning, 2003. doi:10.1023/A:1024068626366"


def table(runs: Runs) -> list[Table]:
    used = _terms(runs)
    rows: list[Row] = [{"used by": ", ".join(sorted(terms)), "paper": link(paper)} for paper, terms in used.items()]
    return [
        Table("papers", "Terms.", rows),
        Table(
            "statistics",
            "Statistics.",
            [{"used for": use, "paper": link(paper)} for use, paper in _statistics(runs).items()],
            notes=("All of these as BibTeX: references.bib beside this page.",),
        ),
    ]


def cited(runs: Runs) -> list[str]:
    """Every paper of this section, in words."""
    return [*_terms(runs), *_statistics(runs).values()]


def _terms(runs: Runs) -> dict[str, set[str]]:
    """The terms that use each paper, in the order of the papers."""
    trials = runs.trials[runs.trials["trial"].isin(set(runs.roles["trial"]))]
    # Runs that were made elsewhere name no papers.
    return of(trials["papers"]) if "papers" in trials else {}


def of(column: pd.Series) -> dict[str, set[str]]:
    """By paper, in their order: the terms of these trials that use it."""
    used: dict[str, set[str]] = {}
    for papers in column.dropna().unique():
        for term, paper in json.loads(papers or "{}").items():
            used.setdefault(str(paper), set()).add(str(term))
    return {paper: terms for paper, terms in sorted(used.items()) if paper}


def _statistics(runs: Runs) -> dict[str, str]:
    statistics = dict(STATISTICS)
    if runs.study.equivalent is not None:
        statistics["equivalence"] = EQUIVALENCE
        statistics["Bayesian signed-rank test"] = BAYES
    if not runs.metric.mean:
        statistics["pseudo-values"] = JACKKNIFE
    if runs.study.data.folds > 1:
        statistics["folds"] = FOLDS
    return statistics


def figure(runs: Runs) -> go.Figure | None:
    return None


def link(paper: str) -> Link:
    """A citation that leads to its arXiv page or DOI where it names one."""
    if found := ARXIV.search(paper):
        return Link(paper, f"https://arxiv.org/abs/{found[1]}")
    if found := DOI.search(paper):
        return Link(paper, f"https://doi.org/{found[1]}")
    return Link(paper, "")
