"""What figures and stacked charts show, in words that the summary and the page share."""

PHASES = (
    "Data is the batch made from stored pixels: what is trained in bits reads them where they lie. "
    "Normalization is that of both passes, in bits with the binarization of activations; torch's "
    "is told apart by hooks, which cost some time that other figures do not have. Loop is what "
    "lies between steps. In bits, backward computes again the sums that forward did not keep."
)
LEDGER = (
    "Arrays are counted one by one where a step holds most. Library code is pages of files first "
    "touched since the network was built. Other in use is what the process holds beyond these "
    "between steps: Python's objects, the order of the epoch, buffers and caches of libraries, "
    "stacks. All of these are of a process whose C library gives back at once what is freed "
    "(MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ at 65536); freed but kept is how much "
    "higher the peak is without that. The peak is the kernel's own, of all steps; library code and "
    "other in use are read between two steps, so the rest is what comes and goes within one and "
    "was not counted, and what differs between processes. The last two can come out below 0."
)

FIGURES = {
    "costs": "Seconds an epoch, training memory and process memory at each batch size, then test "
    "accuracy and model size. Bars start at 0; accuracy is drawn as points with the standard "
    "deviation over seeds.",
    "tradeoff": "Test accuracy against seconds an epoch and against training memory: up and to "
    "the left dominates.",
    "error": "Error against epoch, training (dashed) and validation (solid), mean over seeds "
    "with the range over seeds shaded, as in the study's figures.",
    "confusion": "Confusion matrices on the test set, mean over seeds; a row adds up to 100 %.",
    "phases": "Where an epoch's time goes, medians over rounds.",
    "memory_breakdown": "Which bytes training holds, by kind; the line is the measured peak.",
    "memory": "Resident memory of the process over time, sampled from outside; time 0 is the "
    "moment the network is built.",
    "time": "Seconds of training, evaluation left out, accumulated over epochs, mean over seeds "
    "with their range shaded. These are the training runs, one after the other; the paired "
    "rounds of the costs are the measurement to compare by.",
    "scaling": "Seconds an epoch and training memory against hidden width, batch size, depth and "
    "threads, both axes logarithmic.",
    "inference": "Microseconds an image against batch size, both axes logarithmic.",
}


def figure(name: str) -> str:
    """Return a figure of the summary with its caption, as Markdown in reports/."""
    return captioned(f"figures/{name}", FIGURES[name])


def captioned(path: str, caption: str) -> str:
    """Return the figure PATH.png and PATH.svg with its caption, as Markdown."""
    return f"![{caption}]({path}.png)\n\n*{caption}* ([SVG]({path}.svg))"
