"""A plugin of pytest that records what it ran: -p tests.robustness.plugin --tally kernels."""

from collections import Counter, defaultdict

import pytest

from tests.robustness.results import record

# Which of the tests are a check of their own.
OWN = {"test_arguments.py": "arguments"}


class Tally:
    """Counts tests and their seconds by check."""

    def __init__(self, check: str) -> None:
        self._check = check
        self._passed, self._failed = Counter[str](), Counter[str]()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        check = OWN.get(report.location[0].rpartition("/")[2], self._check)
        self._seconds[check] += report.duration
        self._failed[check] += report.failed
        self._passed[check] += report.passed and report.when == "call"

    def pytest_sessionfinish(self) -> None:
        for check in self._seconds:
            record(check, self._passed[check], self._seconds[check], self._failed[check])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tally", required=True, help="the check that the tests are")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Tally(config.getoption("--tally")))
