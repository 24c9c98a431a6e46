"""The paper of every model: data on its own class, and the reference of its module."""

import inspect

import pytest

import zoo
from zoo.paper import Paper


@pytest.mark.parametrize("name", zoo.MODELS)
def test_the_paper_is_that_of_the_module(name):
    cls = zoo.MODELS[name]
    paper, docstring = vars(cls)["paper"], " ".join(inspect.getmodule(cls).__doc__.split())
    assert isinstance(paper, Paper) and paper.authors and paper.reference and isinstance(paper.year, int)
    assert all(part in docstring for part in (*paper.authors, paper.title, str(paper.year), paper.arxiv or ""))
