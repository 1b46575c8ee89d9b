"""The command line: one command per stage of the pipeline, and no logic."""

import os
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.common.console import echo
from pipeline.common.errors import OUT_OF_MEMORY, PipelineError, lacked_memory
from pipeline.config.params import load_params

app = typer.Typer(
    help="Train float32 and binary networks, measure both, and write a report on the comparison.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Architecture = Annotated[str, typer.Option(help="One of `architectures` in params.yaml.")]
Method = Annotated[str, typer.Option(help="One of `methods` in params.yaml.")]
Variant = Annotated[str, typer.Option(help="One of `variants` in ablation/variants.yaml.")]
Seed = Annotated[int, typer.Option(help="One of `seeds` in params.yaml.")]
Threads = Annotated[int, typer.Option(min=1, max=256)]
Workers = Annotated[
    int | None,
    typer.Option(min=1, help="Trainings that run at once; one per processor if left out."),
]
Output = Annotated[Path, typer.Option(help="The file to write, JSON.")]


class Form(Enum):
    """The format in which `predict` writes."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


@app.command()
def fetch() -> None:
    """Get the dataset, verify it, split it and store it in data/."""
    from pipeline.config.paths import DATA
    from pipeline.fetch import sources
    from pipeline.fetch.store import store

    params = load_params().data
    store(sources.find(params, echo), params)
    echo(
        f"{DATA}/ holds {params.train_images} training, "
        f"{params.validation_images} validation images and the test set"
    )


@app.command()
def train(architecture: Architecture, method: Method, seed: Seed) -> None:
    """Train one network; write its model, learning curve and metrics."""
    from pipeline.training.train import train as run

    run(load_params(), architecture, method, seed)


@app.command()
def search(threads: Threads = 1) -> None:
    """Run the trials in ablation/search.yaml that are not in ablation/trials.csv yet."""
    from pipeline.ablation.search import search as run

    run(threads)


@app.command()
def profile(architecture: Architecture) -> None:
    """Measure the time and memory of training, with the methods taking turns."""
    from pipeline.profiling.profile import profile as run

    run(load_params(), architecture)


@app.command()
def scaling() -> None:
    """Measure training against width, batch size, depth and threads."""
    from pipeline.profiling.profile import scaling as run

    run(load_params())


@app.command()
def inference(architecture: Architecture) -> None:
    """Compare the trained network with torch and ONNX Runtime."""
    from pipeline.inference.stage import infer as run

    run(load_params(), architecture)


@app.command()
def study() -> None:
    """Count the steps of training to the study's test accuracies."""
    from pipeline.profiling.study import steps_to_study as run

    run(load_params())


@app.command()
def aggregate() -> None:
    """Turn runs and profiles into the tables, metrics.json and summary.md of reports/."""
    from pipeline.report.aggregate import aggregate as run

    run(load_params())


@app.command()
def plot() -> None:
    """Draw the figures of reports/figures/ from the tables."""
    from pipeline.report.charts.plot import plot as run

    run()


@app.command()
def page() -> None:
    """Write reports/index.html, the interactive page, from the tables."""
    from pipeline.report.charts.page import page as run

    run()


@app.command()
def ablation(variant: Variant) -> None:
    """Train one variant of a recipe with every seed; write its results."""
    from pipeline.ablation.train import ablate as run

    run(load_params(), variant)


@app.command()
def ablation_costs() -> None:
    """Measure every variant's time and memory, in turns with its baseline."""
    from pipeline.ablation.costs import measure_costs as run

    run(load_params())


@app.command()
def ablation_optimizers() -> None:
    """Compare RowProp with other optimizers of binary weights, each at its best rate."""
    from pipeline.ablation.optimizer_trials import compare_optimizers as run

    run(load_params())


@app.command()
def ablation_techniques() -> None:
    """Compare training as it is with what papers propose, each at its best rate."""
    from pipeline.ablation.optimizer_plan import TECHNIQUES_FILE
    from pipeline.ablation.optimizer_trials import compare_optimizers as run

    run(load_params(), TECHNIQUES_FILE)


@app.command()
def ablation_report() -> None:
    """Write reports/ablation/, which shows what each part of a recipe buys."""
    from pipeline.ablation.report import report as run

    run(load_params())


@app.command()
def frontier_trials(workers: Workers = None) -> None:
    """Run the trials of frontier/frontier.yaml that have no row yet."""
    from pipeline.frontier.search import search as run

    run(load_params(), workers)


@app.command()
def frontier_costs() -> None:
    """Measure the time and memory of networks that may lie on a frontier."""
    from pipeline.frontier.costs import measure_costs as run

    run(load_params())


@app.command()
def frontier_points(workers: Workers = None) -> None:
    """Train the frontiers' networks with more seeds, and time how they predict."""
    from pipeline.frontier.points import measure_points as run

    run(load_params(), workers)


@app.command()
def frontier_records(workers: Workers = None) -> None:
    """Train and time each method's cheapest network for each accuracy."""
    from pipeline.frontier.records import measure_records as run

    run(load_params(), workers)


@app.command()
def frontier_report() -> None:
    """Write reports/frontier/, which shows what an accuracy costs."""
    from pipeline.frontier.report import report as run

    run()


@app.command()
def peers_accuracy() -> None:
    """Train the networks with Larq, which `make peers` installs, and evaluate them."""
    from pipeline.frontier.peers.accuracy import measure_accuracy as run

    run(load_params())


@app.command()
def peers_costs() -> None:
    """Measure Larq's time and memory of training, in turns with our methods."""
    from pipeline.frontier.peers.costs import measure_costs as run

    run(load_params())


@app.command()
def peers() -> None:
    """Write frontier/results/peers.csv and reports/peers.md from what was measured."""
    from pipeline.frontier.peers.table import write_peers as run

    run(load_params())


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="The model file of a network trained in bits.")],
    images: Annotated[
        list[Path],
        typer.Argument(help="PNG or JPEG files, folders of them, IDX files or .npy files."),
    ],
    form: Annotated[
        Form, typer.Option("--format", help="A line, a CSV row or a JSON object per image.")
    ] = Form.TEXT,
    output: Annotated[
        Path | None, typer.Option(help="The file to write; the terminal if left out.")
    ] = None,
    threads: Threads = 1,
) -> None:
    """Predict the classes of images with a network trained in bits."""
    from pipeline.inference.predict import predict as run

    run(model, images, form.value, output, threads)


@app.command()
def info(
    model: Annotated[Path, typer.Argument(help="The model file of a network trained in bits.")],
    json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show what the model file of a network trained in bits holds."""
    from pipeline.inference.info import info as run

    run(model, "json" if json else "text")


@app.command()
def verify(
    revision: Annotated[str, typer.Option(help="The commit to compare with.")] = "HEAD",
) -> None:
    """Compare your results with the committed ones, one verdict per line."""
    from pipeline.ops.verify import verify as run

    if not run(revision):
        raise typer.Exit(1)


@app.command()
def recover() -> None:
    """Clean up after a killed DVC or a damaged disk, so that `dvc repro` works again."""
    from pipeline.ops.recover import recover as run

    run()


@app.command()
def readme() -> None:
    """Copy the first table of reports/summary.md into README.md."""
    from pipeline.ops.readme import update_readme as run

    run()


@app.command()
def benchmark() -> None:
    """Time the kernels against torch's float32 matrix product."""
    from pipeline.profiling.kernels import benchmark as run

    run(load_params())


def main() -> None:
    """Run the command line; bad input and too little memory end in one message and status 1."""
    try:
        app()
    except Exception as error:
        if (reason := lacked_memory(error)) is not None:
            detail = f" ({reason})" if reason else ""
            _say_error(
                f"{OUT_OF_MEMORY}{detail}. Choose a smaller architecture or batch size, or fewer "
                "images at a time, or end other programs; then run the command again."
            )
            # Libraries clean up on exit, which needs memory, too, and would fail at length.
            os._exit(1)
        if not isinstance(error, (PipelineError, OSError)):
            raise
        _say_error(str(error))
        sys.exit(1)


def _say_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
