"""A paper cites itself, names itself and survives JSON."""

from __future__ import annotations

import json

import pytest

from kdsweep.values.paper import Paper

HINTON = Paper(
    authors=("Hinton", "Vinyals", "Dean"),
    title="Distilling the Knowledge in a Neural Network",
    year=2015,
    arxiv="1503.02531",
)
KHOSLA = Paper(
    authors=("Khosla", "others"),
    title="Supervised Contrastive Learning",
    venue="NeurIPS",
    year=2020,
    arxiv="2004.11362",
)
HOLM = Paper(authors=("Holm",), title="A simple procedure", year=1979, doi="10.1/x")


@pytest.mark.parametrize(
    ("paper", "citation"),
    [
        (HINTON, "Hinton, Vinyals, Dean. Distilling the Knowledge in a Neural Network. arXiv:1503.02531"),
        (KHOSLA, "Khosla et al. Supervised Contrastive Learning. NeurIPS 2020, arXiv:2004.11362"),
        (HOLM, "Holm. A simple procedure. 1979, doi:10.1/x"),
    ],
)
def test_a_citation_names_authors_title_and_where_it_appeared(paper, citation):
    assert paper.citation == citation


def test_our_reading_of_a_paper_is_cited_as_such():
    reading = Paper(authors=("Chen",), title="Cross-modal KD", venue="CVPR", year=2023, after=True)
    assert reading.citation == "After: Chen. Cross-modal KD. CVPR 2023"
    assert reading.key == "chen2023crossmodal"


def test_a_key_is_plain_letters_and_skips_words_that_say_nothing():
    assert HINTON.key == "hinton2015distilling"
    assert HOLM.key == "holm1979simple"
    assert Paper(authors=("van den Öord",), title="The Élan", year=2018).key == "vandenoord2018elan"


def test_it_is_read_on_arxiv_or_by_its_doi_or_where_it_says():
    assert HINTON.address == "https://arxiv.org/abs/1503.02531"
    assert HOLM.address == "https://doi.org/10.1/x"
    assert Paper(authors=("A",), title="B", year=2000, url="https://b.org").address == "https://b.org"


@pytest.mark.parametrize("paper", [HINTON, KHOSLA, HOLM])
def test_a_paper_survives_json(paper):
    assert Paper.from_json(json.loads(json.dumps(paper.to_json()))) == paper
