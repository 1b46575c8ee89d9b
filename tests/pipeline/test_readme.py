"""README.md shows the committed result and is short; the documents name what exists."""

import re
from pathlib import Path

import pytest

from pipeline.common.errors import PipelineError
from pipeline.ops.readme import BEGIN, END, README, SUMMARY, first_tables, with_result
from tests.conftest import ROOT

MAX_LINES = 150
DOCUMENTS = [ROOT / README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# What the pipeline makes is not there in a fresh clone.
MADE = ("data", "models", "runs", "profiles", "checkpoints", "raw", ".venv")


def relative_links(text: str) -> list[str]:
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(document: Path) -> set[str]:
    """Return the anchors that a code-hosting page gives to the headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def named_paths(text: str) -> list[str]:
    """Return the paths in backticks that begin with a folder of the project."""
    tokens = re.findall(r"`([\w.]+/[\w./-]*)`", text)
    folders = {path.name for path in ROOT.iterdir() if path.is_dir()} - set(MADE)
    return [token for token in tokens if token.split("/")[0] in folders]


def test_the_readme_shows_the_result_of_the_summary() -> None:
    readme, summary = (ROOT / name for name in (README, SUMMARY))
    text = readme.read_text("utf-8")
    assert with_result(text, summary.read_text("utf-8")) == text, "run `make readme`"


def test_the_readme_is_short() -> None:
    assert len((ROOT / README).read_text("utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_relative_link_leads_somewhere(document: Path) -> None:
    for link in relative_links(document.read_text("utf-8")):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_path_in_the_text_is_there(document: Path) -> None:
    for path in named_paths(document.read_text("utf-8")):
        assert (ROOT / path).exists(), path


def test_only_the_first_tables_are_copied_with_links_from_the_readme() -> None:
    summary = (
        "# Title\n\nFirst:\n\n| a | b |\n|---|---|\n"
        "| [costs](tables/costs.csv) | [p](../params.yaml) [x](https://x.org) [y](#y) |\n\n"
        "Text [a](tables/a.csv).\n\nSecond:\n\n| c |\n\nThird:\n\n| third |\n"
    )
    readme = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_result(readme, summary) == (
        f"before\n{BEGIN}\n\nFirst:\n\n| a | b |\n|---|---|\n"
        "| [costs](reports/tables/costs.csv) | [p](params.yaml) [x](https://x.org) [y](#y) |\n\n"
        f"Second:\n\n| c |\n\n{END}\nafter\n"
    )


def test_what_cannot_be_copied_is_an_error() -> None:
    with pytest.raises(PipelineError, match="has no two tables"):
        first_tables("# Title\n\nOne:\n\n| a |\n")
    for readme in ("", END + BEGIN, BEGIN, BEGIN + END + BEGIN + END):
        with pytest.raises(PipelineError, match="once each"):
            with_result(readme, "One:\n\n| a |\n\nTwo:\n\n| b |\n")
