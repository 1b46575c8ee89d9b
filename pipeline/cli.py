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
    help="Train float32 and binary networks, profile them, and regenerate the comparison.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Architecture = Annotated[str, typer.Option(help="One of `architectures` in params.yaml.")]
Method = Annotated[str, typer.Option(help="One of `methods` in params.yaml.")]
Variant = Annotated[str, typer.Option(help="One of `variants` in ablation/variants.yaml.")]
Seed = Annotated[int, typer.Option(help="One of `seeds` in params.yaml.")]
Threads = Annotated[int, typer.Option(min=1, max=256)]
Output = Annotated[Path, typer.Option(help="The file to write, JSON.")]


class Form(Enum):
    """How predictions are written."""

    TEXT = "text"
    CSV = "csv"
    JSON = "json"


@app.command()
def fetch() -> None:
    """Get the dataset, verify it, split it, store it in data/."""
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
    """Train one network; write its model, history and metrics."""
    from pipeline.training.train import train as run

    run(load_params(), architecture, method, seed)


@app.command()
def search(threads: Threads = 1) -> None:
    """Run the trials of search.yaml that ablation/trials.csv does not have yet."""
    from pipeline.ablation.search import search as run

    run(load_params(), threads)


@app.command()
def profile(architecture: Architecture) -> None:
    """Measure time and memory of training, every method in turn."""
    from pipeline.profiling.profile import profile as run

    run(load_params(), architecture)


@app.command(hidden=True)
def measure(
    architecture: Architecture,
    method: Method,
    batch_size: Annotated[int, typer.Option(min=2, help="Images a step.")],
    output: Output,
) -> None:
    """Make one measurement in this process; `profile` starts one for each."""
    from pipeline.profiling.measure import measure as run

    run(load_params(), architecture, method, batch_size, output)


@app.command(hidden=True)
def ledger(
    architecture: Architecture,
    method: Method,
    batch_size: Annotated[int, typer.Option(min=2, help="Images a step.")],
    output: Output,
) -> None:
    """Count the bytes of training by kind in this process; `profile` starts one for each."""
    from pipeline.profiling.memory_ledger import measure_ledger as run

    run(load_params(), architecture, method, batch_size, output)


@app.command(hidden=True)
def work(
    architecture: Annotated[str, typer.Option(help="Such as mlp-1024-1024.")],
    method: Method,
    batch_size: Annotated[int, typer.Option(min=2, help="Images a step.")],
    threads: Threads,
) -> None:
    """Train while the standard input asks for it; `scaling` talks to these processes."""
    from pipeline.profiling.worker import work as run

    run(load_params(), architecture, method, batch_size, threads)


@app.command()
def scaling() -> None:
    """Measure training against width, batch size, depth and threads."""
    from pipeline.profiling.scaling import scaling as run

    run(load_params())


@app.command()
def inference(architecture: Architecture) -> None:
    """Measure the trained network against other runtimes."""
    from pipeline.inference.stage import infer as run

    run(load_params(), architecture)


@app.command()
def study() -> None:
    """Measure how long training takes to the study's test accuracies."""
    from pipeline.profiling.study import time_to_study as run

    run(load_params())


@app.command()
def aggregate() -> None:
    """Turn runs and profiles into tables, metrics.json and summary.md in reports/."""
    from pipeline.report.aggregate import aggregate as run

    run(load_params())


@app.command()
def plot() -> None:
    """Draw the figures in reports/figures/ from the tables."""
    from pipeline.report.plot import plot as run

    run()


@app.command()
def page() -> None:
    """Write reports/index.html, the report as one interactive page, from the tables."""
    from pipeline.report.page import page as run

    run()


@app.command()
def ablation(variant: Variant) -> None:
    """Train a variant of ablation/variants.yaml with every seed; write its results."""
    from pipeline.ablation.stage import ablate as run

    run(load_params(), variant)


@app.command(hidden=True)
def ablation_run(variant: Variant, architecture: Architecture, seed: Seed, output: Output) -> None:
    """Train a variant once in this process; `ablation` starts one for each training."""
    from pipeline.ablation.run import run

    run(load_params(), variant, architecture, seed, output)


@app.command()
def ablation_report() -> None:
    """Write reports/ablation/: what each ingredient of the recipes buys."""
    from pipeline.ablation.report import report as run

    run(load_params())


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A packed model file.")],
    images: Annotated[
        list[Path],
        typer.Argument(help="PNG or JPEG files, folders of them, IDX files or .npy files."),
    ],
    form: Annotated[Form, typer.Option("--format", help="A line, a row or an object an image.")] = (
        Form.TEXT
    ),
    output: Annotated[Path | None, typer.Option(help="A file in place of the terminal.")] = None,
    threads: Threads = 1,
) -> None:
    """Predict the classes of images."""
    from pipeline.inference.predict import predict as run

    run(model, images, form.value, output, threads)


@app.command()
def info(
    model: Annotated[Path, typer.Argument(help="A packed model file.")],
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show what a packed model file holds."""
    from pipeline.inference.info import info as run

    run(model, "json" if json else "text")


@app.command()
def verify(
    revision: Annotated[str, typer.Option(help="The commit to compare with.")] = "HEAD",
) -> None:
    """Compare the results here with the committed ones, a verdict a line."""
    from pipeline.ops.verify import verify as run

    if not run(revision):
        raise typer.Exit(1)


@app.command()
def recover() -> None:
    """After a kill or a damaged disk: take away what DVC left half-written, or cannot see."""
    from pipeline.ops.recover import recover as run

    run()


@app.command()
def benchmark() -> None:
    """Time the packed engine's kernels against torch's float32 product."""
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
            # What libraries do at the end wants memory, too, and would say so at length.
            os._exit(1)
        if not isinstance(error, (PipelineError, OSError)):
            raise
        _say_error(str(error))
        sys.exit(1)


def _say_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
