"""The papers of exactly the terms that these trials used, and of the statistics that this report used."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pandas as pd

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import bibtex
from kdsweep.report.render.bibtex import Cited
from kdsweep.report.render.tables import Link, Row, Table
from kdsweep.values.paper import Paper

TITLE = "Papers"
CHAPTER = "paper"
ORDER = 85
PAGES = ("study", "imported", "compared")

INTERVAL = Paper(
    authors=("Satterthwaite",),
    title="An approximate distribution of estimates of variance components",
    venue="Biometrics",
    year=1946,
    doi="10.2307/3002019",
)
FAMILY = Paper(
    authors=("Holm",),
    title="A simple sequentially rejective multiple test procedure",
    venue="Scandinavian Journal of Statistics",
    year=1979,
)
STATISTICS = {
    "interval": INTERVAL,
    "family": FAMILY,
    "budget": Paper(
        authors=("Dodge", "Gururangan", "Card", "Schwartz", "Smith"),
        title="Show your work: improved reporting of experimental results",
        venue="EMNLP",
        year=2019,
        arxiv="1909.03004",
    ),
    "interquartile mean, probability of improvement": Paper(
        authors=("Agarwal", "Schwarzer", "Castro", "Courville", "Bellemare"),
        title="Deep reinforcement learning at the edge of the statistical precipice",
        venue="NeurIPS",
        year=2021,
        arxiv="2108.13264",
    ),
    "signed-rank test": Paper(
        authors=("Wilcoxon",),
        title="Individual comparisons by ranking methods",
        venue="Biometrics Bulletin",
        year=1945,
        doi="10.2307/3001968",
    ),
    "almost stochastic order": Paper(
        authors=("Dror", "Shlomov", "Reichart"),
        title="Deep dominance: how to properly compare deep neural models",
        venue="ACL",
        year=2019,
        doi="10.18653/v1/P19-1266",
    ),
    "sources of variance": Paper(
        authors=("Bouthillier", "others"),
        title="Accounting for variance in machine learning benchmarks",
        venue="MLSys",
        year=2021,
        arxiv="2103.03098",
    ),
}
EQUIVALENCE = Paper(
    authors=("Schuirmann",),
    title="A comparison of the two one-sided tests procedure and the power approach",
    venue="Journal of Pharmacokinetics and Biopharmaceutics",
    year=1987,
    doi="10.1007/BF01068419",
)
BAYES = Paper(
    authors=("Benavoli", "Corani", "Demsar", "Zaffalon"),
    title="Time for a change: a tutorial for comparing multiple classifiers through Bayesian analysis",
    venue="JMLR",
    year=2017,
    arxiv="1606.04316",
)
JACKKNIFE = Paper(
    authors=("Efron", "Stein"),
    title="The jackknife estimate of variance",
    venue="Annals of Statistics",
    year=1981,
    doi="10.1214/aos/1176345462",
)
FOLDS = Paper(
    authors=("Nadeau", "Bengio"),
    title="Inference for the generalization error",
    venue="Machine Learning",
    year=2003,
    doi="10.1023/A:1024068626366",
)


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = [
        {"used by": ", ".join(sorted(terms)), "paper": link(paper)} for paper, terms in _terms(runs).items()
    ]
    return [
        Table("papers", "Terms.", rows),
        Table(
            "statistics",
            "Statistics.",
            [{"used for": use, "paper": link(paper)} for use, paper in _statistics(runs).items()],
            notes=("All of these as BibTeX: references.bib beside this page.",),
        ),
    ]


def files(runs: Runs) -> Mapping[str, str]:
    return {"references.bib": bibtex.render([*_terms(runs), *_statistics(runs).values()])}


def of(column: pd.Series) -> dict[Cited, set[str]]:
    """By paper, in the order of their words: the terms of these trials that use it."""
    used: dict[Cited, set[str]] = {}
    for cell in column.dropna().unique():
        for term, papers in json.loads(cell or "{}").items():
            for paper in _read(papers):
                used.setdefault(paper, set()).add(str(term))
    return dict(sorted(used.items(), key=lambda entry: _words(entry[0])))


def link(paper: Cited) -> Link:
    """A citation that leads where it can be read."""
    return Link(_words(paper), paper.address if isinstance(paper, Paper) else "")


def _read(papers: str | list[dict[str, object]]) -> list[Cited]:
    """A term's papers; runs of earlier versions have them as a sentence, which stays as it is."""
    if isinstance(papers, str):
        return [papers] if papers else []
    return [Paper.from_json(paper) for paper in papers]


def _words(paper: Cited) -> str:
    return paper.citation if isinstance(paper, Paper) else paper


def _terms(runs: Runs) -> dict[Cited, set[str]]:
    """The terms that use each paper."""
    trials = runs.trials[runs.trials["trial"].isin(set(runs.roles["trial"]))]
    # Runs that were made elsewhere name no papers.
    return of(trials["papers"]) if "papers" in trials else {}


def _statistics(runs: Runs) -> dict[str, Paper]:
    statistics = dict(STATISTICS)
    if runs.study.equivalent is not None:
        statistics["equivalence"] = EQUIVALENCE
        statistics["Bayesian signed-rank test"] = BAYES
    if not runs.metric.mean:
        statistics["pseudo-values"] = JACKKNIFE
    if runs.study.data.folds > 1:
        statistics["folds"] = FOLDS
    return statistics
