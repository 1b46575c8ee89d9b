"""The tallies, a row a run of a check, and the table of them."""

import csv
import datetime
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipeline.report.markdown import markdown
from tests.robustness.checks import CHECKS

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("results.csv")
DOCUMENT = ROOT / "docs" / "robustness.md"
COLUMNS = ("check", "date", "commit", "cases", "seconds", "findings")
BEGIN, END = "<!-- written by python -m tests.robustness -->\n", "<!-- end of what is written -->\n"


def record(check: str, cases: int, seconds: float, findings: int) -> None:
    """Add a run's tally to results.csv, if RECORD=1 says so.

    Args:
        check: of CHECKS.
        cases: that passed.
        seconds: that they took.
        findings: cases that did not pass.
    """
    if os.environ.get("RECORD") != "1":
        return
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        values = (check, today, commit, cases, round(seconds), findings)
        writer.writerow(dict(zip(COLUMNS, values, strict=True)))


def read() -> list[dict[str, str]]:
    """Return the rows of results.csv."""
    with RESULTS.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def table(rows: Sequence[dict[str, str]]) -> str:
    """Return all runs of each check as a row of a Markdown table."""
    lines: list[tuple[object, ...]] = []
    for name, check in CHECKS.items():
        runs = [row for row in rows if row["check"] == name]
        if not runs:
            # Left out, it would not be missed.
            lines.append((check.tried, f"`bash {check.command}`", "not run", "", "", ""))
            continue
        cases, seconds, findings = (
            sum(int(run[column]) for run in runs) for column in ("cases", "seconds", "findings")
        )
        last = runs[-1]
        lines.append(
            (
                check.tried,
                f"`bash {check.command}`",
                f"{cases:,} {check.cases}",
                f"{seconds / 60:,.0f}" if seconds >= 600 else f"{seconds / 60:.1f}",
                findings,
                f"{last['date']} ({last['commit']})",
            )
        )
    headers = ("tried", "command", "in all", "minutes", "found", "last run (commit)")
    return markdown(headers, lines) + "\n"


def written_into(document: str, text: str) -> str:
    """Return the document with `text` between its two marks."""
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
