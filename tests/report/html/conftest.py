"""Pages, from small stored runs made by hand and from a ledger as large as one gets."""

import pytest

from compress.claims.ledger import Ledger
from compress.claims.paper import load_paper
from compress.claims.standing import standing_runs
from compress.report.html.page import build_page
from compress.report.html.render import render
from tests.report.html.synthetic import write_ledger, write_papers


def page_of(folder, benches):
    stored = list(Ledger(folder).history())
    papers = [load_paper(path) for path in sorted(benches.glob("*/paper.toml"))]
    return build_page(standing_runs(reversed(stored)), stored, papers)


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Return the page of three runs and 44 claims."""
    folder = tmp_path_factory.mktemp("small")
    return page_of(write_ledger(folder / "runs", 3, 2, 44, recipes=3), write_papers(folder, 2, 66))


@pytest.fixture(scope="session")
def small_file(small, tmp_path_factory):
    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_text(render(small), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def large_file(tmp_path_factory):
    """Return the report of 200 runs and 2,000 claims, judged twice each."""
    folder = tmp_path_factory.mktemp("large")
    path = folder / "report.html"
    path.write_text(render(page_of(write_ledger(folder / "runs"), write_papers(folder))), encoding="utf-8")
    return path
