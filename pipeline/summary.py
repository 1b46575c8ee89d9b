"""reports/summary.md: the answer first, then the tables behind it."""

from typing import Any

import pandas as pd

from pipeline.markdown import markdown
from pipeline.params import BASELINE
from pipeline.published import load_published, runs_of, study_batch
from pipeline.ratios import ROUNDS_FOR_INTERVAL
from pipeline.report import Report, accuracy_lost, find_row, ratio_of
from pipeline.summary_answer import answer
from pipeline.summary_inference import inference_section
from pipeline.summary_limits import limits_section
from pipeline.summary_scaling import scaling_section, time_to_accuracy_section
from pipeline.words import listed


def render_summary(report: Report) -> str:
    """Return the whole of summary.md."""
    sections = [
        "# What binarization saves, and what it costs",
        answer(report),
        *(_architecture(report, name) for name in report.params.architectures),
        _study(report),
        time_to_accuracy_section(report.tables["time_to_accuracy"], report.params),
        scaling_section(report.tables["scaling"], report.params),
        inference_section(report.tables["inference"], report.tables["runtimes"]),
        _figures(),
        _recipes(report),
        limits_section(report.params),
        _measured_on(report),
        _tables(report),
    ]
    return "\n\n".join(sections) + "\n"


def _architecture(report: Report, architecture: str) -> str:
    accuracy = report.accuracy[report.accuracy["architecture"] == architecture]
    seeds = accuracy["seeds"].iloc[0]
    blocks = [
        f"## {architecture}",
        f"Accuracy over {seeds} seed{'s' if seeds > 1 else ''} (mean ± sample standard "
        "deviation), and the model file: float32 numbers for what torch trains, bits and integer "
        "thresholds for what is trained in bits ([accuracy.csv](tables/accuracy.csv), a row a run "
        "in [runs.csv](tables/runs.csv)):",
        _accuracy_markdown(report, accuracy),
    ]
    for batch in report.params.profiled_batch_sizes:
        used = " (training's own)" if batch == report.params.train.batch_size else ""
        blocks += [
            f"Cost of training at batch {batch}{used}, medians over "
            f"{report.params.profile.rounds} rounds; × float is the paired ratio with its "
            f"{_interval_name(report)} ([costs.csv](tables/costs.csv)):",
            _costs_markdown(report, architecture, batch),
        ]
    blocks += [
        "Where an epoch's time goes, in seconds, medians over rounds "
        "([phases.csv](tables/phases.csv)). *Data* is the batch made from uint8 or 4-bit pixels: "
        "what is trained in bits reads them where they lie. *Loop* is what lies between steps. "
        "*Normalization* is that of both passes, in bits with the binarization of activations; "
        "torch's is told apart by hooks, which cost some time that the tables above do not have. "
        "In bits, backward computes again the sums that forward did not keep:",
        _phases_markdown(report, architecture),
    ]
    printed = _printed(report, architecture)
    if printed:
        blocks += [
            "What the study printed, beside ours: accuracy in percent; seconds of training, and "
            f"an epoch at batch {study_batch(report.costs)}; peak memory of the process:",
            printed,
        ]
    return "\n\n".join(blocks)


def _interval_name(report: Report) -> str:
    enough = report.params.profile.rounds >= ROUNDS_FOR_INTERVAL
    return "95 % interval" if enough else "range (too few rounds for an interval)"


def _accuracy_markdown(report: Report, accuracy: pd.DataFrame) -> str:
    float_kib = accuracy[accuracy["method"] == BASELINE]["model_kib"].iloc[0]
    rows = []
    for _, row in accuracy.iterrows():
        spread = f" ± {row['test_accuracy_std']:.2f}" if row["seeds"] > 1 else ""
        lost = accuracy_lost(report, row["architecture"], row["method"])
        rows.append(
            [
                row["method"],
                f"{row['test_accuracy']:.2f}{spread}",
                "" if row["method"] == BASELINE else f"{-lost:+.2f}",
                f"{row['validation_accuracy']:.2f}",
                f"{row['training_accuracy']:.2f}",
                f"{row['model_kib']:,.0f}",
                f"{row['model_kib'] / float_kib:.3f}",
            ]
        )
    return markdown(
        [
            "method",
            "test %",
            "to float, points",
            "validation %",
            "training %",
            "model KiB",
            "× float",
        ],
        rows,
    )


def _costs_markdown(report: Report, architecture: str, batch: int) -> str:
    rows = []
    for method in report.params.methods:
        row = find_row(report.costs, architecture=architecture, batch_size=batch, method=method)
        rows.append(
            [
                method,
                f"{row['epoch_seconds']:.3f}",
                _interval(row, "epoch_seconds"),
                f"{row['training_memory_mib']:.1f}",
                _interval(row, "training_memory_mib"),
                f"{row['process_memory_mib']:.0f}",
                _interval(row, "process_memory_mib"),
            ]
        )
    return markdown(
        ["method", "s an epoch", "× float", "training MiB", "× float", "process MiB", "× float"],
        rows,
    )


def _phases_markdown(report: Report, architecture: str) -> str:
    phases = report.tables["phases"]
    phases = phases[phases["architecture"] == architecture]
    table = phases.pivot(index=["batch_size", "method"], columns="phase", values="seconds")
    names = list(dict.fromkeys(phases["phase"]))
    rows = [
        [f"{batch}, {method}", *(f"{table.loc[(batch, method), name]:.3f}" for name in names)]
        for batch in report.params.profiled_batch_sizes
        for method in report.params.methods
    ]
    return markdown(["batch, method", *names], rows)


def _interval(row: "pd.Series[Any]", column: str) -> str:
    if row["method"] == BASELINE:
        return ""
    ratio = ratio_of(row, column)
    verdict = ", not told apart" if ratio.holds(1) else ""
    return f"{ratio.value:.2f} [{ratio.lower:.2f}, {ratio.upper:.2f}]{verdict}"


def _study(report: Report) -> str:
    published = load_published()
    if report.claims.empty:
        return "## The study\n\nIts architectures or methods are not in params.yaml."
    batch = study_batch(report.costs)
    rows = []
    for _, row in report.claims.iterrows():
        accuracy = row["quantity"] == "test accuracy"
        unit, sense = (" points", "gained") if accuracy else (" %", "saved")
        rows.append(
            [
                row["architecture"],
                f"{row['method']} against {row['reference']}",
                f"{row['quantity']} {sense}",
                f"{row['published']:+.1f}{unit}",
                f"{row['ours']:+.1f}{unit} [{row['lower']:+.1f}, {row['upper']:+.1f}]",
                row["holds"],
            ]
        )
    return "\n\n".join(
        [
            "## The study, claim by claim",
            f"[The study]({published['source']}) trained with plain gradient descent in NumPy "
            "in double precision, batch 5,000, and measured the memory of the whole process. "
            f"Below, what it printed beside ours: time and memory at batch {batch}, accuracy as "
            f"trained at batch {report.params.train.batch_size} "
            "([claims.csv](tables/claims.csv)). Minus means more time or memory, or accuracy "
            "lost. A claim holds if ours points the same way; it is undecided if our interval "
            f"(for time and memory the {_interval_name(report)}, for accuracy the range over "
            "seeds) holds 0.",
            markdown(
                ["network", "comparison", "quantity", "study", "ours", "direction holds"], rows
            ),
        ]
    )


def _printed(report: Report, architecture: str) -> str:
    published = load_published()
    batch = study_batch(report.costs)
    rows = []
    for section in runs_of(published, architecture):
        for method, printed in section.items():
            if method not in report.params.methods:
                continue
            accuracy = find_row(report.accuracy, architecture=architecture, method=method)
            cost = find_row(
                report.costs, architecture=architecture, batch_size=batch, method=method
            )
            rows.append(
                [
                    f"{method}, {section['epochs']} epochs",
                    f"{printed['train_accuracy']} / {printed['test_accuracy']}",
                    f"{accuracy['training_accuracy']:.1f} / {accuracy['test_accuracy']:.1f}",
                    f"{printed.get('train_seconds', '-')} / {printed.get('epoch_seconds', '-')}",
                    f"{accuracy['train_seconds']:.0f} / {cost['epoch_seconds']:.2f}",
                    f"{printed['memory_mb']:.0f} MB",
                    f"{cost['process_memory_mib']:.0f} MiB",
                ]
            )
    if not rows:
        return ""
    return markdown(
        [
            "study's run",
            "training / test, study",
            "ours",
            "seconds in all / an epoch, study",
            "ours",
            "memory, study",
            "ours",
        ],
        rows,
    )


def _recipes(report: Report) -> str:
    methods = {name: method.model_dump() for name, method in report.params.methods.items()}
    keys = list(dict.fromkeys(key for method in methods.values() for key in method))
    rows = [
        [key.replace("_", " "), *("-" if m.get(key) is None else m[key] for m in methods.values())]
        for key in keys
    ]
    engines = ["torch" if name in report.params.groups.torch else "packed" for name in methods]
    return "\n\n".join(
        [
            "## Recipes",
            f"All at batch {report.params.train.batch_size}, from "
            "[params.yaml](../params.yaml). *Pixel bits* are how many of a pixel's 8 bits the "
            "network sees, after a curve of *pixel gamma*, which brightens dark ones (1 is none). "
            "*Label smoothing* is the share of a label's probability that goes to all classes "
            "alike. *Gradient bits* are those of the gradients in the backward pass's "
            "products, rounded stochastically; *state bits* those of latent weights and of each "
            "of the optimizer's moments. *Weight noise* that is annealed falls over the training "
            "from 1, the study's stochastic binarization, to 0, the deterministic one that "
            "predicts; constant, it stays 1. *Prediction passes* are those whose mean score is the "
            "prediction: what is random in training is spread over them.",
            markdown(["", *methods], [["engine", *engines], *rows]),
        ]
    )


FIGURES = {
    "error": "Error against epoch, training (dashed) and validation (solid), mean over seeds "
    "with the range over seeds shaded, as in the study's figures.",
    "time": "Seconds of training, evaluation left out, accumulated over epochs, mean over seeds "
    "with their range shaded. These are the training runs, one after the other; the paired "
    "rounds of the tables above are the measurement to compare by.",
    "costs": "Seconds an epoch, training memory and process memory at each batch size, then test "
    "accuracy and model size. Bars start at 0; accuracy is drawn as points with the standard "
    "deviation over seeds.",
    "tradeoff": "Test accuracy against seconds an epoch and against training memory: up and to "
    "the left dominates.",
    "memory": "Resident memory of the process over time, sampled from outside; time 0 is the "
    "moment the network is built.",
    "phases": "Where an epoch's time goes, medians over rounds.",
    "ledger": "Which bytes a training step holds, counted array by array. The rest of the measured "
    "peak is memory that was freed and that the C library kept, which is most of float's rest at "
    "a large batch (`MALLOC_MMAP_THRESHOLD_=65536` in the environment gives most of it back), and "
    "code and stacks that training touches first.",
    "scaling": "Seconds an epoch and training memory against hidden width, batch size, depth and "
    "threads, both axes logarithmic.",
    "inference": "Microseconds an image against batch size, both axes logarithmic.",
    "confusion": "Confusion matrices on the test set, mean over seeds; a row adds up to 100 %.",
}


def _figures() -> str:
    blocks = ["## Figures"]
    blocks += [
        f"![{caption}](figures/{name}.png)\n\n*{caption}* ([SVG](figures/{name}.svg))"
        for name, caption in FIGURES.items()
    ]
    return "\n\n".join(blocks)


def _measured_on(report: Report) -> str:
    machines: dict[str, list[str]] = {}
    for architecture, machine in report.environments.items():
        machines.setdefault(_machine(machine), []).append(architecture)
    lines = [f"- {listed(architectures)}: {machine}" for machine, architectures in machines.items()]
    return "\n\n".join(
        [
            "## How it was measured",
            "\n".join(lines),
            "Every measurement is a fresh process; the methods take turns, round after round, "
            "so that drift hits all alike ([measurements.csv](tables/measurements.csv)). An epoch "
            "is forward, backward and update over all training images, converted from uint8 batch "
            "by batch, without evaluation; a measurement trains for a part of an epoch or more, in "
            "three parts, of which the fastest counts. "
            "*Training memory* is the peak above the moment just before the network is built; "
            "*process memory* is the peak of the whole process. Most of float's is the import of "
            "torch (a CUDA build costs several hundred MiB more than a CPU build), which what is "
            "trained in bits does without; most of the latter's is the dataset while it is read.",
            "The test set was used once a run, after training; the last epoch's network is "
            "the one reported.",
        ]
    )


def _machine(machine: dict[str, Any]) -> str:
    return (
        f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, "
        f"{machine['memory_gib']} GiB, {machine['system']}; {machine['threads']} threads for "
        f"every method; Python {machine['python']}, torch {machine['torch']} "
        f"({machine['torch_build']} build, {machine['torch_instruction_set']}), NumPy "
        f"{machine['numpy']} ([environments.json](tables/environments.json))"
    )


def _tables(report: Report) -> str:
    links = [f"[{name.replace('_', ' ')}](tables/{name}.csv)" for name in report.tables]
    return (
        f"## Tables\n\nAll of the above comes from these: {', '.join(links)}, "
        "[metrics](metrics.json)."
    )
