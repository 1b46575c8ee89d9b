"""profiles/study/: how many steps training takes to the study's test accuracies."""

import pandas as pd
import pandera.pandas as pa

from pipeline.artifacts.tables import Table, read_table
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params
from pipeline.config.paths import STUDY
from pipeline.config.published import study_targets

STEPS_FILE = STUDY / "steps.csv"


class StudySteps(Table):
    """A row per run: the steps to `target`, percent, or of all its epochs where it is not reached.

    `test_accuracy` is the one after those steps, in percent.
    """

    architecture: str
    method: str
    seed: int
    target: float
    steps: int = pa.Field(ge=1)
    reached: bool
    test_accuracy: float


def read_study(params: Params) -> pd.DataFrame:
    """Read the steps to the study's accuracies.

    Raises:
        PipelineError: they are missing, damaged, or of other networks.
    """
    advice = "run `dvc repro` or `python -m pipeline study`"
    steps = read_table(STEPS_FILE, StudySteps, advice)
    expected = {
        (architecture, method, seed)
        for architecture in study_targets(params)
        for method in params.methods
        for seed in params.seeds
    }
    found = list(steps[["architecture", "method", "seed"]].itertuples(index=False, name=None))
    if set(found) != expected or len(found) != len(expected):
        raise PipelineError(f"{STUDY} was measured with other params: {advice}")
    return steps
