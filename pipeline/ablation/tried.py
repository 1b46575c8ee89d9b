"""What the search tried, question by question, as a table."""

import pandas as pd

from pipeline.common.errors import PipelineError
from pipeline.config.paths import TRIALS
from pipeline.report.markdown import markdown

_COLUMNS = ["question", "architecture", "method", "changes", "seed", "validation_accuracy"]


def tried() -> str:
    """Return a section: of every question, the best and the worst of what was tried.

    Raises:
        PipelineError: ablation/trials.csv is missing or damaged.
    """
    try:
        trials = pd.read_csv(TRIALS)[_COLUMNS]
        # Nothing is an answer here alone: the recipe as it was.
        trials["changes"] = trials["changes"].fillna("").astype(str)
        if trials.isna().any(axis=None):
            raise ValueError("a cell is empty")
        trials["validation_accuracy"] = trials["validation_accuracy"].astype(float)
    except (OSError, ValueError, KeyError) as error:
        raise PipelineError(f"{TRIALS} cannot be read ({error}): get it back from git") from error
    rows = [
        _row(str(question), str(architecture), str(method), group)
        for (question, architecture, method), group in trials.groupby(
            ["question", "architecture", "method"], sort=False
        )
    ]
    return "\n\n".join(
        [
            "## What the search tried",
            f"The recipes were chosen by the {len(trials)} trials of "
            "[trials.csv](../../ablation/trials.csv): one recipe for both networks, by validation "
            "accuracy and cost, so that not every best one was taken; "
            "`python -m pipeline search` runs those of [search.yaml](../../ablation/search.yaml) that have "
            "no row yet. Below, the best and the worst combination of each question, the mean over "
            "their seeds. Questions began from the recipe of their day: compare within a line. "
            "What is no key of params.yaml was a prototype that did not pay.",
            markdown(
                ["question", "network", "method", "trials", "best", "%", "worst", "%"],
                rows,
            ),
        ]
    )


def _row(question: str, architecture: str, method: str, group: pd.DataFrame) -> list[str]:
    means = group.groupby("changes")["validation_accuracy"].mean()
    best, worst = str(means.idxmax()), str(means.idxmin())
    common = set.intersection(*(set(str(changes).split()) for changes in means.index))
    cells = [question, architecture, method, str(len(group))]
    cells += [_shown(best, common), f"{means.max():.2f}"]
    return cells + ([_shown(worst, common), f"{means.min():.2f}"] if len(means) > 1 else ["", ""])


def _shown(changes: str, common: set[str]) -> str:
    """Return what tells a combination from the others of its question, or all of an only one."""
    told = [change for change in changes.split() if change not in common]
    words = ", ".join(told or changes.split()).replace("_", " ").replace("=", " ")
    return words or "nothing changed"
