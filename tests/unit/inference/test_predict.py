"""`predict` and `info`: what they say of a small model, and without torch."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.common.errors import PipelineError
from pipeline.config.architecture import Architecture
from pipeline.config.names import PACKED, PASSES
from pipeline.config.params import Params
from pipeline.engines.engine import create_engine
from pipeline.engines.packed.model import load
from pipeline.engines.packed.predictor import Predictor
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.inference.info import describe
from pipeline.inference.peak_memory import measure_peak_memory
from pipeline.inference.predict import predict
from pipeline.inference.runtimes import Files
from pipeline.profiling.fresh_process import run_in_fresh_process
from tests.conftest import ROOT, SIDE, heavy_imports, heavy_imports_of, packed_methods
from tests.networks import mlp
from tests.unit.engines.test_packed_engine import PIXELS, WIDTHS, create, train

PICTURES = np.random.default_rng(3).integers(0, 256, (4, PIXELS), dtype=np.uint8)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in an empty folder, which is entered, with images beside it."""
    monkeypatch.chdir(tmp_path)
    engine = create("deterministic")
    train(engine, 5)
    engine.save(Path("model.safetensors"))
    np.save("images.npy", PICTURES)
    return Path("model.safetensors")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(ROOT)},
    )


def test_all_forms_say_what_the_network_says(model: Path) -> None:
    scores = Predictor(load(model), 1).logits(PICTURES)
    for form in ("text", "csv", "json"):
        predict(model, [Path("images.npy")], form, Path(f"out.{form}"), 1)
    objects = json.loads(Path("out.json").read_text())
    rows = list(csv.DictReader(Path("out.csv").read_text().splitlines()))
    lines = Path("out.text").read_text().splitlines()
    assert len(objects) == len(rows) == len(lines) == len(PICTURES)
    for i, (said, row, line) in enumerate(zip(objects, rows, lines, strict=True)):
        best = int(scores[i].argmax())
        margin = float(scores[i][best] - np.delete(scores[i], best).max())
        assert said["source"] == row["source"] == f"images.npy[{i}]"
        assert said["class"] == int(row["class"]) == best
        assert said["class_name"] is None
        assert said["margin"] == float(row["margin"]) == pytest.approx(margin)
        assert said["scores"] == [float(x) for x in scores[i]]
        assert f"class {best}  (margin {margin:.2f})" in line


def test_classes_have_the_names_of_the_dataset_here(model: Path) -> None:
    Path("data").mkdir()
    names = [f"kind {i}" for i in range(WIDTHS[-1])]
    Path("data/dataset.json").write_text(json.dumps({"class_names": names}))
    predict(model, [Path("images.npy")], "json", Path("out.json"), 1)
    for said in json.loads(Path("out.json").read_text()):
        assert said["class_name"] == names[said["class"]]
    # A dataset with other classes says nothing of this model.
    Path("data/dataset.json").write_text(json.dumps({"class_names": names[1:]}))
    predict(model, [Path("images.npy")], "json", Path("out.json"), 1)
    assert json.loads(Path("out.json").read_text())[0]["class_name"] is None


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_a_name_that_is_no_text_is_escaped(model: Path, form: str) -> None:
    name = os.fsdecode(b"a\xff.png")
    try:
        Image.fromarray(PICTURES[0].reshape(SIDE, SIDE)).save(name)
    except OSError:
        pytest.skip("this file system's names are text")
    printed = run("predict", str(model), name, "--format", form)
    assert printed.returncode == 0, printed.stderr
    predict(model, [Path(name)], form, Path("out"), 1)  # type: ignore[arg-type]
    written = Path("out").read_text("utf-8")
    assert "a\\udcff.png" in written
    assert printed.stdout == written


def test_an_output_that_is_a_pipe_stays_one(model: Path) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        done = run("predict", str(model), "images.npy", "--output", "pipe")
        assert done.returncode == 0, done.stderr
        assert os.read(reader, 10_000).count(b"\n") == len(PICTURES)
    finally:
        os.close(reader)
    assert Path("pipe").is_fifo()


def test_an_error_leaves_no_output(model: Path) -> None:
    Image.new("L", (3, 3)).save("small.png")
    with pytest.raises(PipelineError, match=r"small\.png is 3 x 3"):
        predict(model, [Path("images.npy"), Path("small.png")], "csv", Path("out.csv"), 1)
    assert not Path("out.csv").exists()


def test_the_command_line(model: Path) -> None:
    done = run("predict", str(model), "images.npy", "--format", "csv", "--threads", "2")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1 + len(PICTURES)
    failed = run("predict", str(model), "nothing.png")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: cannot read nothing.png")
    assert failed.stdout == ""


@pytest.mark.parametrize("command", ["predict", "info"])
def test_neither_needs_torch(model: Path, command: str) -> None:
    images = ["images.npy"] if command == "predict" else []
    assert heavy_imports([command, str(model), *images]) == []


@pytest.mark.parametrize("runtime", [PACKED, PASSES])
def test_a_packed_network_is_measured_without_torch(
    params: Params, model: Path, runtime: str
) -> None:
    store(sources.find(params.data, lambda _: None), params.data)
    files = Files(mlp(*WIDTHS), Path("none"), model, model, Path("none"))
    found = run_in_fresh_process(
        "imports", heavy_imports_of, measure_peak_memory, files, runtime, 1
    )
    assert found == []


def test_info_adds_up(model: Path) -> None:
    facts = describe(load(model), model)
    assert [each["inputs"] for each in facts["layers"]] == list(WIDTHS[:-1])
    assert [each["outputs"] for each in facts["layers"]] == list(WIDTHS[1:])
    assert facts["bytes_of_weights"] == sum(each["weight_bytes"] for each in facts["layers"])
    operations = list(facts["operations_per_image"].values())
    assert operations[0] + operations[1] == facts["weights"]
    shown = run("info", str(model), "--json")
    assert json.loads(shown.stdout) == facts
    text = run("info", str(model)).stdout
    assert facts["file_sha256"] in text
    assert f"{facts['weights']:,}" in text


def test_info_of_convolutions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    architecture = Architecture.parse("vgg-8-m-16s-f5", (6, 7), 3)
    method = packed_methods()["stochastic"]
    create_engine(method, architecture, seed=1, threads=1).save(Path("model"))
    model = load(Path("model"))
    facts = describe(model, Path("model"))
    assert facts["format_version"] == 3
    assert [each["map"] for each in facts["layers"]] == ["6 x 7 x 1", "3 x 3 x 8", "", ""]
    assert [each["inputs"] for each in facts["layers"]] == [9, 72, 64, 5]
    assert [each["then"] for each in facts["layers"]] == [
        "threshold, 2x2 pooling",
        "threshold",
        "threshold",
        "logits",
    ]
    assert list(facts["operations_per_image"].values()) == [
        42 * 9 * 8,
        model.passes * (4 * 72 * 16 + 64 * 5 + 5 * 3),
        model.passes * (42 * 8 + 4 * 16 + 5),
        model.passes * 3,
    ]
    assert "6 x 7 x 1" in run("info", "model").stdout
    np.save("images.npy", np.zeros((2, 6, 7), np.uint8))
    assert len(run("predict", "model", "images.npy").stdout.splitlines()) == 2
    np.save("images.npy", np.zeros((2, 7, 7), np.uint8))
    refused = run("predict", "model", "images.npy")
    assert refused.returncode == 1
    assert "42" in refused.stderr


def test_info_of_a_damaged_model(model: Path) -> None:
    model.write_bytes(model.read_bytes()[:-1])
    done = run("info", str(model))
    assert done.returncode == 1
    assert done.stderr.startswith("error: model.safetensors is not a valid model")
