"""The figures of the summary as Markdown, and what stands under each.

The summary is written without drawing anything, so this imports no library for charts.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caption:
    """What a figure says.

    Attributes:
        alt: what it shows, in a few words, for those who do not see it.
        text: what stands under it.
    """

    alt: str
    text: str


CAPTIONS = {
    "frontier": Caption(
        "Test accuracy against seconds of training, training memory, model size and latency",
        "Test accuracy, the mean over seeds, against what a network costs. Up and to the left is "
        "better. A dot is a network of one width, batch size and number of epochs. A line joins "
        "those that no other of the method beats, by validation accuracy; hollow dots lie behind. "
        "The dashed line is float's file in int8, at the accuracy of float32.",
    ),
    "costs": Caption(
        "Time, memory, accuracy and model size by method",
        "Seconds per epoch, training memory and process memory at each batch size, then test "
        "accuracy and model size. Bars start at 0. Accuracy is drawn as points, with the standard "
        "deviation over seeds.",
    ),
    "tradeoff": Caption(
        "Test accuracy against time and memory",
        "Test accuracy against seconds per epoch and against training memory. Up and to the left "
        "is better.",
    ),
    "phases": Caption(
        "Seconds per epoch by phase",
        "Where an epoch's time goes, as medians over rounds.",
    ),
    "memory_breakdown": Caption(
        "Training memory by kind",
        "What training memory holds, by kind. The line is the measured peak.",
    ),
    "learning_curves": Caption(
        "Training and validation error against epoch",
        "Error against epoch in training (dashed) and validation (solid), as a mean over seeds. "
        "The range over seeds is shaded.",
    ),
    "memory_curve": Caption(
        "Process memory over time",
        "Resident memory of the process over time, sampled from outside. Time 0 is the moment "
        "before the network is built.",
    ),
    "confusion": Caption(
        "Confusion matrices by network and method",
        "Confusion matrices on the test set, as a mean over seeds. A row adds up to 100 %.",
    ),
    "scaling": Caption(
        "Time and training memory against width, batch size, depth and threads",
        "Seconds per epoch and training memory against hidden width, batch size, depth and "
        "threads. All axes are logarithmic.",
    ),
    "time_to_accuracy": Caption(
        "Validation error against seconds of training",
        "Validation error against seconds of training, which are epochs times the seconds per "
        "epoch. Lines are means over seeds, and their range is shaded. Down and to the left is "
        "better.",
    ),
    "inference": Caption(
        "Time per image against batch size by runtime",
        "Microseconds per image against batch size, both axes logarithmic.",
    ),
}


def figure_markdown(name: str) -> str:
    """Return a figure of the summary with its caption, as Markdown in reports/."""
    return captioned(f"figures/{name}", CAPTIONS[name])


def captioned(path: str, caption: Caption) -> str:
    """Return the figure PATH.png and PATH.svg with its caption, as Markdown."""
    return f"![{caption.alt}]({path}.png)\n\n*{caption.text}* ([SVG]({path}.svg))"
