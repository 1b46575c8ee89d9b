"""A short run of the fuzzer; `bash .ci/fuzz` is a long one."""

from pathlib import Path

import pytest

from pipeline.common.errors import PipelineError
from pipeline.engines.packed.model import load
from tests.robustness.fuzz.draft import Draft
from tests.robustness.fuzz.models import files
from tests.robustness.fuzz.run import PREDICTED, REFUSALS, run


def test_damaged_files_are_refused_or_predict() -> None:
    outcomes = run(2000, 1, print)
    assert outcomes.total() == 2000
    assert outcomes[PREDICTED] > 200
    # Each of them rests on a check of its own, which the files must reach.
    assert len(outcomes) > len(REFUSALS) - 3


def test_a_repaired_checksum_fits(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for content in files(tmp_path, 1):
        draft = Draft(content)
        # The least bit of a scale.
        draft.arrays[0] ^= 1
        path.write_bytes(draft.content())
        with pytest.raises(PipelineError, match="its checksum does not fit"):
            load(path)
        draft.repair_checksum()
        path.write_bytes(draft.content())
        load(path)
