"""The stages after training, on a small project: what they read, write and refuse."""

import importlib.util
import json
import multiprocessing.spawn
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import image
from ruamel.yaml import YAML
from typer.testing import CliRunner

from pipeline.cli import app, main
from pipeline.common.errors import PipelineError
from pipeline.config.names import PACKED, PASSES
from pipeline.config.params import load_params
from pipeline.config.paths import DATA
from pipeline.inference import stage
from pipeline.inference.runtimes import RUNTIMES
from pipeline.profiling import kernels as benchmark
from pipeline.report.aggregate import aggregate
from pipeline.report.charts.plot import plot
from pipeline.report.charts.tables import COST_NEEDS, merge_needs
from pipeline.report.charts.topics import TOPICS
from tests.contradictions import contradictions


def command(*arguments: str) -> None:
    """Run a stage in this process, as the command line does."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the module's tests share."""
    return tmp_path_factory.mktemp("results")


@pytest.fixture
def trained(project: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project after fetch, train and profile; made once, copied for every test."""
    path = project / "params.yaml"
    # One architecture and batch size: every measurement is a process that imports torch.
    text = (
        path.read_text()
        .replace("- mlp-8-5\n", "")
        .replace("[20]", "[10]")
        .replace("- 20\n", "- 10\n")
        .replace("methods: [float, simulated, deterministic]", "methods: [float, deterministic]")
    )
    path.write_text(text)
    kept = results / "project"
    if kept.exists():
        for name in ("data", "models", "runs", "profiles"):
            shutil.copytree(kept / name, project / name)
        return project
    run_stages(monkeypatch)
    shutil.copytree(project, kept)
    return project


def run_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run all stages that the report reads."""
    params = load_params()
    command("fetch")
    for architecture in params.architectures:
        for method in params.methods:
            for seed in params.seeds:
                arguments = ("--architecture", architecture, "--method", method)
                command("train", *arguments, "--seed", str(seed))
        command("profile", "--architecture", architecture)
        # It compiles for many seconds.
        monkeypatch.setattr(stage, "skipped", lambda: {"torch.compile": "left out by the tests"})
        command("inference", "--architecture", architecture)
    command("scaling")
    monkeypatch.setattr(benchmark, "SHAPES", ((1, 5, 9),))
    monkeypatch.setattr(benchmark, "SECONDS", 1e-4)
    command("benchmark")
    command("study")


def test_profiles_measure_every_method_in_every_round(trained: Path) -> None:
    folder = trained / "profiles/mlp-8"
    table = pd.read_csv(folder / "measurements.csv")
    own = table[(table["batch_size"] == 10) & (table["threads"] == 2)]
    cases = own.groupby("method")["round"].apply(list)
    assert set(cases.index) == set(load_params().methods)
    assert all(rounds == [1, 2] for rounds in cases)
    # Rounds go in turn: A B C A B C, not A A B B C C.
    assert list(own["round"]) == sorted(own["round"])
    assert (table[["epoch_seconds", "process_memory_mib"]] > 0).all(axis=None)
    keys = ["batch_size", "threads", "method"]
    memory = pd.read_csv(folder / "training_memory.csv").groupby(keys)["training_memory_mib"]
    # Two processes that do the same allocate the same, but for a buffer of some library.
    assert (memory.max() <= 1.05 * memory.min()).all()
    breakdown = pd.read_csv(folder / "memory_breakdown.csv")
    assert set(breakdown["kind"]) == {
        *("weights", "gradients", "optimizer_state"),
        *("saved_activations", "input", "temporaries"),
    }
    curve = pd.read_csv(folder / "memory_curve.csv")
    assert (curve.groupby(["batch_size", "method"])["seconds"].min() < 0).all()


def test_networks_of_convolutions_go_through_every_stage(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, name = project / "params.yaml", "vgg-8-m-f8"
    document = YAML().load(path)
    document.update(architectures=[name], seeds=[1])
    document["profile"].update(batch_sizes=[10])
    document["profile"]["scaling"].update(methods=["float"])
    document["methods"]["packed"]["stochastic"].update(batch_size=10)
    YAML().dump(document, path)
    run_stages(monkeypatch)
    for stage_name in ("aggregate", "plot", "page"):
        command(stage_name)
    # They are shorter than those of fully connected networks.
    assert len(pd.read_csv(f"runs/{name}-float-1/history.csv")) == 2
    runtimes = pd.read_csv(f"profiles/inference/{name}/runtimes.csv").set_index("runtime")
    metrics = json.loads((project / f"runs/{name}-float-1/metrics.json").read_text())
    for runtime in ("torch", "ONNX Runtime"):
        accuracy = runtimes.loc[runtime, "test_accuracy"]
        assert accuracy == pytest.approx(metrics["test"]["accuracy"])
    assert (runtimes["test_accuracy"].drop("torch.compile") > 50).all()
    summary = Path("reports/summary.md").read_text()
    assert "| epochs, with convolutions " in summary
    assert "networks are fully connected" not in summary


def test_scaling_measures_what_no_architecture_does(trained: Path) -> None:
    own = pd.read_csv(trained / "profiles/mlp-8/measurements.csv")
    rest = pd.read_csv(trained / "profiles/scaling/measurements.csv")
    assert set(own["threads"]) == {1, 2}
    assert set(rest["architecture"]) == {"mlp-8-8"}
    rounds = rest.groupby("method")["round"].apply(list)
    assert set(rounds.index) == set(load_params().profile.scaling.methods)
    assert all(numbers == [1, 2] for numbers in rounds)


def test_a_scaling_of_another_grid_is_noticed(trained: Path) -> None:
    params = load_params()
    profile = params.profile.model_copy(update={"grid": "full"})
    with pytest.raises(PipelineError, match="was measured with other params"):
        aggregate(params.model_copy(update={"profile": profile}))


@pytest.fixture
def killed_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every process that measures end as a system without memory ends it."""
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o700)
    monkeypatch.setattr(multiprocessing.spawn, "get_executable", lambda: os.fsencode(killed))


@pytest.mark.usefixtures("killed_processes")
def test_a_point_that_cannot_run_is_named(trained: Path) -> None:
    shutil.rmtree("profiles/scaling")
    with pytest.raises(PipelineError, match=r"float, mlp-8-8, batch 10, .* ended with signal 9"):
        command("scaling")
    assert not Path("profiles/scaling").exists()


def test_inference_compares_what_is_installed(trained: Path) -> None:
    folder = trained / "profiles/inference/mlp-8"
    runtimes = pd.read_csv(folder / "runtimes.csv").set_index("runtime")
    assert runtimes.loc["torch.compile", "skipped"] == "left out by the tests"
    assert set(runtimes["threads"]) == {1}
    ran = runtimes[runtimes["skipped"].isna()]
    assert (ran["process_memory_mib"] > 0).all()
    assert {"torch", "torch int8", PACKED, PASSES} <= set(ran.index)
    rounds = pd.read_csv(folder / "rounds.csv")
    assert set(rounds["runtime"]) == set(ran.index)
    assert set(rounds["batch_size"]) == {1, 7}
    assert (rounds["seconds"] > 0).all()
    metrics = json.loads((trained / "runs/mlp-8-float-1/metrics.json").read_text())
    assert ran.loc["torch", "test_accuracy"] == pytest.approx(metrics["test"]["accuracy"])
    metrics = json.loads((trained / "runs/mlp-8-stochastic-1/metrics.json").read_text())
    assert ran.loc[PASSES, "test_accuracy"] == metrics["test"]["accuracy"]


def test_what_is_not_installed_is_skipped_and_the_report_says_so(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find, which = importlib.util.find_spec, shutil.which
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if "onnx" in name else find(name)
    )
    monkeypatch.setattr(shutil, "which", lambda name: None if "++" in name else which(name))
    shutil.rmtree("profiles/inference")
    command("inference", "--architecture", "mlp-8")
    command("aggregate")
    runtimes = pd.read_csv("profiles/inference/mlp-8/runtimes.csv").set_index("runtime")
    missing = runtimes["skipped"].dropna().to_dict()
    peers = "onnx and onnxruntime not installed (pip install '.[peers]')"
    assert missing == {
        "torch.compile": "no C++ compiler, which it needs",
        "ONNX Runtime": peers,
        "ONNX Runtime int8": peers,
    }
    summary = Path("reports/summary.md").read_text()
    for name, reason in missing.items():
        assert f"- {name}: {reason}\n" in summary


def test_a_model_that_predicts_otherwise_is_noticed(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "skipped", lambda: dict.fromkeys(set(RUNTIMES) - {PACKED}, "no"))
    path = Path("runs/mlp-8-deterministic-1/metrics.json")
    metrics = json.loads(path.read_text())
    # As accurate, but other images of class 0 are missed.
    row = metrics["test"]["confusion"][0]
    row[1], row[2] = (row[1] - 1, row[2] + 1) if row[1] else (row[1] + 1, row[2] - 1)
    path.write_text(json.dumps(metrics))
    with pytest.raises(PipelineError, match="to train it again"):
        command("inference", "--architecture", "mlp-8")


def test_aggregate_and_plot_write_the_report(trained: Path) -> None:
    command("aggregate")
    command("plot")
    command("page")
    reports = trained / "reports"
    metrics = json.loads((reports / "metrics.json").read_text())
    assert set(metrics) == {"mlp-8"}
    figures = metrics["mlp-8"]["stochastic"]
    assert set(figures) == {
        *("test_accuracy", "test_accuracy_std", "validation_accuracy", "train_accuracy"),
        *("epoch_seconds", "epoch_ratio", "process_memory_mib", "process_memory_ratio"),
        *("training_memory_mib", "training_memory_ratio", "model_kib", "model_ratio"),
        *("train_seconds", "train_ratio", "images_per_second", "latency_us"),
    }
    assert {"images_per_second", "latency_us"} <= set(metrics["mlp-8"]["float"])
    assert "epoch_ratio" not in metrics["mlp-8"]["float"]

    compared, found = contradictions(reports / "tables")
    assert found == []
    assert len(compared) > 3
    summary = (reports / "summary.md").read_text()
    assert (trained / "docs/aims.md").read_text().startswith("# What the project aimed at")
    assert "range (too few rounds for an interval)" in summary
    written = {path.stem for path in (reports / "tables").glob("*.csv")}
    assert written >= {name for topic in TOPICS.values() for name in topic.needs}
    for name in written:
        assert f"(tables/{name}.csv)" in summary
        # Only the study's own architectures have claims and printed runs.
        empty = len(pd.read_csv(reports / "tables" / f"{name}.csv")) == 0
        assert empty == (name in ("claims", "published", "time_to_study"))
    for name in TOPICS:
        assert f"(figures/{name}.png)" in summary
        picture = image.imread(reports / "figures" / f"{name}.png")
        # More than a blank page: the mean of white is 1.
        assert picture[..., :3].mean() < 0.99
        assert (reports / "figures" / f"{name}.svg").read_text().startswith("<?xml")
    assert (reports / "index.html").read_text("utf-8").startswith("<!DOCTYPE html>")

    durations = pd.read_csv(reports / "tables/durations.csv").set_index("part")["seconds"]
    assert list(durations.index) == [
        *("training", "profile", "scaling", "inference", "benchmark", "study", "sum")
    ]
    assert (durations > 0).all()
    assert durations["sum"] == pytest.approx(durations.drop("sum").sum(), abs=1e-3)


def test_metrics_are_the_means_of_the_runs(trained: Path) -> None:
    aggregate(load_params())
    metrics = json.loads(Path("reports/metrics.json").read_text())
    accuracies = [
        json.loads(Path(f"runs/mlp-8-float-{seed}/metrics.json").read_text())["test"]["accuracy"]
        for seed in (1, 2)
    ]
    mean = sum(accuracies) / 2
    assert metrics["mlp-8"]["float"]["test_accuracy"] == pytest.approx(mean, abs=1e-4)


def test_a_report_is_a_function_of_the_results(trained: Path) -> None:
    contents = []
    for _ in range(2):
        aggregate(load_params())
        plot()
        contents.append({p: p.read_bytes() for p in Path("reports").rglob("*") if p.is_file()})
    assert contents[0] == contents[1]


def test_one_seed_has_no_spread(trained: Path) -> None:
    params = load_params().model_copy(update={"seeds": [1]})
    aggregate(params)
    plot()
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert "test_accuracy_std" not in metrics["mlp-8"]["float"]
    assert "nan" not in Path("reports/summary.md").read_text()


def test_a_missing_run_is_named(trained: Path) -> None:
    shutil.rmtree("runs/mlp-8-float-2")
    with pytest.raises(PipelineError, match="to train mlp-8-float-2"):
        aggregate(load_params())
    assert not Path("reports").exists()


def test_a_model_of_another_run_is_noticed(trained: Path) -> None:
    shutil.copy("models/mlp-8-float-1.safetensors", "models/mlp-8-float-2.safetensors")
    with pytest.raises(PipelineError, match="different runs"):
        aggregate(load_params())


def test_a_missing_profile_is_named(trained: Path) -> None:
    shutil.rmtree("profiles/mlp-8")
    with pytest.raises(PipelineError, match="profile --architecture mlp-8"):
        aggregate(load_params())


def test_a_profile_of_other_params_is_noticed(trained: Path) -> None:
    params = load_params()
    more = params.profile.model_copy(update={"rounds": 3})
    with pytest.raises(PipelineError, match="profiles/mlp-8 was measured with other params"):
        aggregate(params.model_copy(update={"profile": more}))
    assert not Path("reports").exists()


def test_a_stage_that_does_not_say_how_long_it_took_is_named(trained: Path) -> None:
    path = Path("profiles/scaling/environment.json")
    environment = json.loads(path.read_text())
    del environment["seconds"]
    path.write_text(json.dumps(environment))
    with pytest.raises(PipelineError, match=f"{path} .* \\(seconds: .*pipeline scaling"):
        aggregate(load_params())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "it is not a JSON object"),
        ("{}", "does not hold the metrics of a run"),
        ('{"model": 1}', "does not hold the metrics of a run"),
    ],
)
def test_metrics_of_no_run(trained: Path, content: str, message: str) -> None:
    Path("runs/mlp-8-float-1/metrics.json").write_text(content)
    with pytest.raises(PipelineError, match=message):
        aggregate(load_params())


@pytest.mark.parametrize("method", ["deterministic", "stochastic"])
def test_inference_reads_what_it_is_checked_with_first(
    trained: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    # What measures would end in another message.
    shutil.rmtree("models")
    path = Path(f"runs/mlp-8-{method}-1/metrics.json")
    metrics = json.loads(path.read_text())
    ragged = {**metrics, "test": {**metrics["test"], "confusion": [[1, 2], [3]]}}
    for content in ("{", "{}", '{"test": {"accuracy": 1}}', json.dumps(ragged)):
        path.write_text(content)
        with pytest.raises(PipelineError, match=f"{path}.*to train mlp-8-{method}-1"):
            command("inference", "--architecture", "mlp-8")
    path.unlink()
    with pytest.raises(PipelineError, match=f"{path} is missing: .* to train"):
        command("inference", "--architecture", "mlp-8")


@pytest.mark.usefixtures("killed_processes")
def test_a_measurement_without_memory_says_so(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "skipped", lambda: dict.fromkeys(set(RUNTIMES) - {PACKED}, "no"))
    with pytest.raises(PipelineError, match=r"ended with signal 9 \(not enough memory\)"):
        command("inference", "--architecture", "mlp-8")


def test_every_key_of_the_metrics_must_be_there(trained: Path) -> None:
    path = Path("runs/mlp-8-float-1/metrics.json")
    metrics = json.loads(path.read_text())
    keys = [[key] for key in metrics]
    keys += [[key, inner] for key in ("model", "test") for inner in metrics[key]]
    assert len(keys) > 10
    for path_of_key in keys:
        damaged = json.loads(json.dumps(metrics))
        del (damaged[path_of_key[0]] if len(path_of_key) > 1 else damaged)[path_of_key[-1]]
        path.write_text(json.dumps(damaged))
        where = ".".join(path_of_key)
        with pytest.raises(PipelineError, match=f"{path} .* of a run \\({where}: "):
            aggregate(load_params())


READ = {
    "runs/mlp-8-float-1/history.csv": ["epoch", "cumulative_seconds", "validation_error"],
    "profiles/mlp-8/measurements.csv": ["architecture", "batch_size", "epoch_seconds"],
    "profiles/mlp-8/phases.csv": ["architecture", "method", "phase", "seconds"],
    "profiles/mlp-8/training_memory.csv": ["threads", "round", "training_memory_mib"],
    "profiles/mlp-8/memory_breakdown.csv": ["batch_size", "kind", "bytes"],
    "profiles/mlp-8/memory_curve.csv": ["method", "process_memory_mib", "seconds"],
    "profiles/scaling/measurements.csv": ["threads", "method", "process_memory_mib"],
    "profiles/inference/mlp-8/rounds.csv": ["threads", "runtime", "seconds"],
    "profiles/inference/mlp-8/runtimes.csv": ["runtime", "skipped", "file_kib"],
    "profiles/benchmark/kernels.csv": ["m", "round", "kernel", "seconds"],
    "profiles/study/steps.csv": ["architecture", "method", "steps", "reached"],
}


@pytest.mark.parametrize("name", READ)
def test_a_table_without_a_column_is_named(trained: Path, name: str) -> None:
    path = Path(name)
    whole = pd.read_csv(path)
    for column in READ[name]:
        whole.drop(columns=column).to_csv(path, index=False)
        with pytest.raises(PipelineError, match=f"{name} lacks {column}: run `dvc repro`"):
            aggregate(load_params())


@pytest.mark.parametrize("name", [name for name in READ if not name.endswith("steps.csv")])
def test_a_table_that_is_cut_short_is_named(trained: Path, name: str) -> None:
    path = Path(name)
    lines = path.read_text().splitlines()
    for rest in (lines[:1], [*lines[:-1], lines[-1].partition(",")[0]]):
        path.write_text("\n".join(rest))
        with pytest.raises(PipelineError, match=r"with other|empty cell|is not of|cannot read"):
            aggregate(load_params())


def test_words_for_numbers_are_no_table(trained: Path) -> None:
    path = Path("profiles/mlp-8/phases.csv")
    whole = pd.read_csv(path)
    whole["seconds"] = "soon"
    whole.to_csv(path, index=False)
    with pytest.raises(PipelineError, match=r"phases\.csv.*soon"):
        aggregate(load_params())


def test_a_machine_without_a_name_is_named(trained: Path) -> None:
    for path in (Path("profiles/benchmark"), Path("profiles/mlp-8")):
        path /= "environment.json"
        text = path.read_text()
        path.write_text(text.replace("kernels_instruction_set", "other"))
        with pytest.raises(PipelineError, match=f"{path} .* \\(kernels_instruction_set: "):
            aggregate(load_params())
        path.write_text(text)


def test_figures_name_the_column_that_a_table_lacks(trained: Path) -> None:
    aggregate(load_params())
    needs = merge_needs([COST_NEEDS, *(topic.needs for topic in TOPICS.values())])
    for name, columns in needs.items():
        path = Path(f"reports/tables/{name}.csv")
        whole = path.read_text()
        for column in columns:
            pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
            with pytest.raises(PipelineError, match=f"{path} lacks {column}: run `dvc repro`"):
                plot()
            path.write_text(whole)


def test_a_class_without_test_images_has_no_accuracy_in_the_report(trained: Path) -> None:
    for path in Path("runs").glob("*/metrics.json"):
        metrics = json.loads(path.read_text())
        metrics["test"]["per_class_accuracy"]["low"] = None
        metrics["test"]["confusion"][0] = [0, 0, 0]
        path.write_text(json.dumps(metrics))
    for stage_name in ("aggregate", "plot", "page"):
        command(stage_name)
    table = pd.read_csv("reports/tables/per_class_accuracy.csv")
    assert table[table["class"] == "low"]["test_accuracy"].isna().all()
    assert table[table["class"] != "low"]["test_accuracy"].notna().all()


def test_classes_may_be_numbers(trained: Path) -> None:
    for path in Path("runs").glob("*/metrics.json"):
        text = path.read_text()
        for number, name in enumerate(("low", "middle", "high")):
            text = text.replace(f'"{name}"', f'"{number}"')
        path.write_text(text)
    aggregate(load_params())
    plot()
    assert Path("reports/figures/confusion.png").exists()


def test_a_damaged_table_is_named(trained: Path) -> None:
    Path("profiles/mlp-8/phases.csv").write_text("")
    with pytest.raises(PipelineError, match=r"cannot read profiles/mlp-8/phases\.csv"):
        aggregate(load_params())


def test_a_failed_measurement_leaves_no_profile(trained: Path) -> None:
    shutil.rmtree("profiles")
    (DATA / "train-images.npy").write_bytes(b"")
    with pytest.raises(PipelineError, match="is not what fetch wrote"):
        command("profile", "--architecture", "mlp-8")
    assert not Path("profiles").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "--architecture", "mlp-9", "--method", "float", "--seed", "1"], "mlp-9"),
        (["train", "--architecture", "mlp-8", "--method", "flaot", "--seed", "1"], "flaot"),
        (["train", "--architecture", "mlp-8", "--method", "float", "--seed", "7"], "seed 7"),
        (["train", "--architecture", "mlp-8", "--method", "float", "--seed", "1"], "fetch"),
        (["profile", "--architecture", "mlp-8"], "fetch"),
        (["scaling"], "fetch"),
        (["inference", "--architecture", "mlp-8"], "fetch"),
        (["aggregate"], "is missing"),
        (["plot"], "-m pipeline aggregate`"),
        (["page"], "-m pipeline aggregate`"),
    ],
)
def test_bad_input_is_one_message_and_a_status(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    expected: str,
) -> None:
    # In this process, which has imported what each stage would import anew.
    monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert expected in errors
    assert "Traceback" not in errors
    assert sorted(p.name for p in project.iterdir()) == ["frontier", "idx", "params.yaml"]


def test_a_stage_without_params(project: Path) -> None:
    Path("params.yaml").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "fetch"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot read params.yaml")


def test_too_few_images_for_the_split(project: Path) -> None:
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("train_images: 60", "train_images: 61"))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "fetch"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "needs 61 + 30 images, the dataset has 90" in done.stderr
    assert not Path("data").exists()
