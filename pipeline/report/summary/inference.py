"""The summary's section on inference."""

from typing import Any

import pandas as pd

from pipeline.config.names import PACKED, PASSES
from pipeline.report.captions import figure
from pipeline.report.markdown import markdown
from pipeline.report.summary.verdicts import faster, times_as_much
from pipeline.report.tables import fastest_other
from pipeline.report.text import NO_DIFFERENCE


def inference_section(inference: pd.DataFrame, runtimes: pd.DataFrame, passes_method: str) -> str:
    """Return how the packed network predicts, against every other runtime."""
    blocks = [
        "## Inference",
        _answer(inference),
        _passes(inference, passes_method),
        "The same test images for all, in one process for each number of threads, runtimes in "
        "turn, round after round ([inference.csv](tables/inference.csv)); × is how many times as "
        "fast the packed network is, the median of the ratios within rounds. The others get "
        "float32 pixels that are ready, and batch normalization folded into their weights; the "
        "packed network gets the uint8 images as they are, and leaves out groups of pixels that "
        "are 0, of which these images have many. *Memory* is the peak of a process that does "
        "nothing else ([runtimes.csv](tables/runtimes.csv)).",
    ]
    for (architecture, threads), group in inference.groupby(
        ["architecture", "threads"], sort=False
    ):
        plural = "" if threads == 1 else "s"
        blocks += [f"**{architecture}, {threads} thread{plural}**, microseconds an image:"]
        blocks += [_table(group)]
    missing = runtimes.dropna(subset="skipped").drop_duplicates("runtime")
    if not missing.empty:
        lines = [f"- {row['runtime']}: {row['skipped']}" for _, row in missing.iterrows()]
        blocks += ["Skipped:", "\n".join(lines)]
    blocks.append(figure("inference"))
    return "\n\n".join(blocks)


def _answer(inference: pd.DataFrame) -> str:
    """Compare with the best of the others in every case."""
    sentences = []
    for architecture, group in inference.groupby("architecture", sort=False):
        others = group[~group["runtime"].isin((PACKED, PASSES))]
        if others.empty:
            continue
        packed = group[group["runtime"] == PACKED].iloc[0]
        smallest = others["file_kib"].max() / packed["file_kib"]
        sentences.append(
            f"On {architecture} the packed network "
            f"{faster(fastest_other(group), 'the fastest of the others')}, over all thread counts "
            f"and batch sizes, with a file 1/{smallest:.0f} of the largest and "
            f"{packed['test_accuracy']:.2f} % test accuracy."
        )
    return " ".join(sentences)


def _passes(inference: pd.DataFrame, method: str) -> str:
    """Say what prediction by several passes costs, and what it gives."""
    parts = []
    for architecture, group in inference.groupby("architecture", sort=False):
        single, passes = (group[group["runtime"] == name] for name in (PACKED, PASSES))
        # How many times as fast the single pass is, is what the others cost.
        cost = passes.rename(columns=lambda name: str(name).replace("times_faster", "cost_ratio"))
        parts.append(
            f"on {architecture} {times_as_much(cost, 'cost', 'time')} of *{PACKED}*, "
            f"and has {passes['test_accuracy'].iloc[0]:.2f} % test accuracy "
            f"({single['test_accuracy'].iloc[0]:.2f})"
        )
    return (
        f"*{PASSES}* is the {method} network, which predicts by the mean score of its "
        "*prediction passes*; the passes share the first layer's sums. That takes "
        f"{'; '.join(parts)}; both of the first seed."
    )


def _table(group: pd.DataFrame) -> str:
    batches = list(dict.fromkeys(group["batch_size"]))
    rows = []
    for name, of_runtime in group.groupby("runtime", sort=False):
        by_batch = of_runtime.set_index("batch_size")
        first = of_runtime.iloc[0]
        rows.append(
            [
                name,
                *(_cell(by_batch.loc[batch], str(name)) for batch in batches),
                f"{first['file_kib']:,.0f}",
                f"{first['process_memory_mib']:.0f}",
                f"{first['test_accuracy']:.2f}",
            ]
        )
    headers = [f"batch {batch:,}" for batch in batches]
    return markdown(["runtime", *headers, "file KiB", "memory MiB", "test %"], rows)


def _cell(row: "pd.Series[Any]", runtime: str) -> str:
    time = f"{row['microseconds_an_image']:.2f}"
    if runtime == PACKED:
        return time
    low, high = row["times_faster_lower"], row["times_faster_upper"]
    verdict = NO_DIFFERENCE if low <= 1 <= high else f"{row['times_faster']:.1f}×"
    return f"{time} ({verdict})"
