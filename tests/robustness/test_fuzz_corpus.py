"""What coverage-guided fuzzing has kept, tried again; `bash .ci/fuzz-coverage` looks for more."""

from pathlib import Path

import pytest

from tests.robustness.fuzz.seeds import CORPUS
from tests.robustness.fuzz.targets import TARGETS

FILES = sorted(path.relative_to(CORPUS) for path in CORPUS.rglob("*") if path.is_file())


def test_every_target_has_a_corpus() -> None:
    assert {path.parts[0] for path in FILES} == set(TARGETS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_of_the_corpus_ends_in_a_result_or_one_error(path: Path) -> None:
    TARGETS[path.parts[0]]((CORPUS / path).read_bytes())
