"""The result in README.md: the first tables of reports/summary.md, copied by `make readme`."""

import posixpath
import re
from itertools import islice
from pathlib import Path

from pipeline.common.atomic import write_text
from pipeline.common.errors import PipelineError
from pipeline.config.paths import REPORTS

README = Path("README.md")
SUMMARY = REPORTS / "summary.md"
BEGIN, END = "<!-- result: written by make readme -->", "<!-- end -->"
# A line that ends in a colon, and a table.
_TABLE = re.compile(r"^[^|\n]+:\n\n(?:\|.*\n)+", re.MULTILINE)
# The target of a Markdown link, unless it is an address or a place in the same file.
_RELATIVE_LINK = re.compile(r"(?<=\]\()(?!#|[a-z]+:)[^)\s]+")


def first_tables(document: str) -> str:
    """Return the first two Markdown tables of `document`, each with the line that introduces it.

    Raises:
        PipelineError: there are not so many.
    """
    found = list(islice(_TABLE.finditer(document), 2))
    if len(found) < 2:
        raise PipelineError(f"{SUMMARY} has no two tables: run `dvc repro aggregate`")
    return "\n\n".join(match[0].strip() for match in found)


def with_result(readme: str, summary: str) -> str:
    """Return the text of README.md with the first tables of the summary between its markers.

    Links in the table are relative to reports/; in the result they are relative to README.md.

    Raises:
        PipelineError: the summary has no table, or the README does not have the markers once each.
    """
    table = _RELATIVE_LINK.sub(
        lambda link: posixpath.normpath(f"{REPORTS.as_posix()}/{link[0]}"), first_tables(summary)
    )
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in after or END in before + after:
        raise PipelineError(f"{README} must have {BEGIN} and {END} once each, in this order")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def update_readme() -> None:
    """Write the result into README.md.

    Raises:
        PipelineError: a file is missing, or is not as `with_result` needs it.
    """
    try:
        readme, summary = README.read_text("utf-8"), SUMMARY.read_text("utf-8")
    except OSError as error:
        raise PipelineError(f"cannot read {error.filename}: {error.strerror}") from error
    write_text(README, with_result(readme, summary))
