"""The table in docs/robustness.md is that of results.csv."""

import csv
from pathlib import Path

import pytest

from tests.robustness import results
from tests.robustness.checks import CHECKS


def test_the_document_has_the_table_of_the_results() -> None:
    document = results.DOCUMENT.read_text("utf-8")
    assert results.written_into(document, results.table(results.read())) == document, (
        "run `python -m tests.robustness`"
    )


def test_every_result_is_of_a_check_and_every_command_is_there() -> None:
    assert {row["check"] for row in results.read()} <= set(CHECKS)
    for check in CHECKS.values():
        assert (results.ROOT / check.command.split()[0]).is_file()


def test_a_tally_is_recorded_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.csv")
    monkeypatch.delenv("RECORD", raising=False)
    results.record("kill", 1, 60.0, 0)
    assert not results.RESULTS.exists()
    monkeypatch.setenv("RECORD", "1")
    results.record("kill", 100, 60.0, 0)
    results.record("kill", 1100, 1200.2, 1)
    with results.RESULTS.open(newline="") as file:
        assert [row["seconds"] for row in csv.DictReader(file)] == ["60", "1200"]
    lines = results.table(results.read()).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[3:6]] == [
        "1,200 kills survived",
        "21",
        "1",
    ]
    # What has not run is not passed over.
    assert len(lines) == 2 + len(CHECKS)
    assert all(line.split("|")[3].strip() == "not run" for line in lines[3:])
