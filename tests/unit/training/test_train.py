import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.artifacts.run_files import HISTORY_COLUMNS
from pipeline.artifacts.runs import History
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.training.train import epoch_batches, schedule_factor, train


@pytest.fixture
def fetched(params: Params) -> Params:
    store(sources.find(params.data, lambda _: None), params.data)
    return params


@given(st.integers(2, 300), st.integers(0, 50), st.integers(0, 50), st.data())
def test_an_epoch_shows_every_image_at_most_once(
    images: int, seed: int, epoch: int, data: st.DataObject
) -> None:
    batch = data.draw(st.integers(2, images))
    batches = epoch_batches(images, batch, seed, epoch)
    assert batches.shape == (images // batch, batch)
    shown = np.unique(batches)
    assert len(shown) == batches.size
    assert shown.min() >= 0
    assert shown.max() < images
    np.testing.assert_array_equal(batches, epoch_batches(images, batch, seed, epoch))


def test_every_seed_and_epoch_has_its_own_order() -> None:
    orders = {
        epoch_batches(100, 10, seed, epoch).tobytes() for seed in range(5) for epoch in range(5)
    }
    assert len(orders) == 25


@given(st.sampled_from(["cosine", "exponential"]), st.floats(0, 0.99), st.floats(1e-3, 0.5))
def test_a_learning_rate_decays(schedule: str, done: float, further: float) -> None:
    later = min(done + further, 1.0)
    assert schedule_factor(schedule, 0) == 1
    assert schedule_factor(schedule, later) < schedule_factor(schedule, done)
    assert schedule_factor(schedule, 1) < 0.0011
    assert schedule_factor("constant", done) == 1


@pytest.mark.parametrize("method", ["float", "deterministic", "stochastic"])
def test_a_run_leaves_a_model_a_history_and_metrics(fetched: Params, method: str) -> None:
    train(fetched, "mlp-8-5", method, 2)
    history = pd.read_csv(f"runs/mlp-8-5-{method}-2/history.csv")
    # A checkpoint keeps the same columns.
    assert tuple(history) == HISTORY_COLUMNS == tuple(History.to_schema().columns)
    assert list(history["epoch"]) == [1, 2, 3]
    np.testing.assert_allclose(
        history["cumulative_seconds"], history["seconds"].cumsum(), atol=1e-3
    )
    metrics = json.loads(Path(f"runs/mlp-8-5-{method}-2/metrics.json").read_text())
    for part, images in (("training", 60), ("validation", 30), ("test", 30)):
        confusion = np.array(metrics[part]["confusion"])
        assert confusion.shape == (3, 3)
        assert confusion.sum() == images
        accuracy = 100 * np.trace(confusion) / images
        assert metrics[part]["accuracy"] == pytest.approx(accuracy)
        assert set(metrics[part]["per_class_accuracy"]) == {"low", "middle", "high"}
    # The history's last row and the metrics are of the same network.
    last = history.iloc[-1]
    error = 100 - metrics["validation"]["accuracy"]
    assert last["validation_error"] == pytest.approx(error, abs=1e-3)


@pytest.mark.parametrize("method", ["float", "simulated", "deterministic", "stochastic"])
def test_a_convolutional_network_trains_as_any_other(fetched: Params, method: str) -> None:
    params = fetched.model_copy(update={"architectures": ["vgg-8-m-16-f5"]})
    train(params, "vgg-8-m-16-f5", method, 2)
    assert Path(f"models/vgg-8-m-16-f5-{method}-2.safetensors").exists()
    assert len(pd.read_csv(f"runs/vgg-8-m-16-f5-{method}-2/history.csv")) == 2


def test_the_same_seed_gives_the_same_bytes_and_accuracies(fetched: Params) -> None:
    results = []
    for _ in range(2):
        train(fetched, "mlp-8", "stochastic", 1)
        model = Path("models/mlp-8-stochastic-1.safetensors").read_bytes()
        results.append((model, Path("runs/mlp-8-stochastic-1/metrics.json").read_bytes()))
    assert results[0] == results[1]


def at_rate(params: Params, method: str, rate: float) -> Params:
    groups = params.groups
    kind = "packed" if method in groups.packed else "torch"
    recipe = params.methods[method].model_copy(update={"learning_rate": rate})
    methods = {**getattr(groups, kind), method: recipe}
    return params.model_copy(update={"groups": groups.model_copy(update={kind: methods})})


@pytest.mark.parametrize(
    ("method", "rate", "at_chance"),
    [
        ("float", 0.01, False),
        ("float", 100.0, True),
        ("deterministic", 1.0, False),
        ("deterministic", 1e6, True),
    ],
)
def test_a_network_that_ends_at_chance_level_is_said_so(
    fetched: Params,
    method: str,
    rate: float,
    at_chance: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    train(at_rate(fetched, method, rate), "mlp-8", method, 1)
    said = capsys.readouterr().out
    if not at_chance:
        assert "warning" not in said
        return
    accuracy = re.search(r"is (\d+\.\d\d) %", said)
    assert accuracy is not None
    # A hand's breadth around a third: there are 30 images.
    assert 10 < float(accuracy[1]) < 50
    assert said.endswith(
        f"warning: mlp-8-{method}-1 ends at chance level: its validation accuracy is "
        f"{accuracy[1]} %, and the largest class has 33.33 % of the images. Try a smaller "
        f"learning_rate, or more epochs, for {method} in params.yaml.\n"
    )


def test_a_loss_that_is_no_number_is_one_message(fetched: Params) -> None:
    message = "the training of mlp-8-float-1 diverged: its loss is no number. Lower the method's"
    with pytest.raises(PipelineError, match=message):
        train(at_rate(fetched, "float", 1000.0), "mlp-8", "float", 1)
    assert not Path("models").exists()


def test_training_without_data_says_what_to_do(params: Params) -> None:
    with pytest.raises(PipelineError, match="python -m pipeline fetch"):
        train(params, "mlp-8", "float", 1)


def test_data_of_other_params_are_refused(fetched: Params) -> None:
    split = fetched.data.model_copy(update={"train_images": 50})
    stale = fetched.model_copy(update={"data": split})
    message = "data/ holds 60 training and 30 validation images, and params.yaml asks for 50 and 30"
    with pytest.raises(PipelineError, match=message):
        train(stale, "mlp-8", "float", 1)
    assert not Path("models").exists()


def test_no_whole_batch_is_an_error() -> None:
    assert epoch_batches(60, 60, 1, 0).shape == (1, 60)
    with pytest.raises(PipelineError, match="a batch of 61 images is more than the 60 training"):
        epoch_batches(60, 61, 1, 0)


@pytest.mark.parametrize(
    ("method", "sent"), [("float", signal.SIGINT), ("deterministic", signal.SIGKILL)]
)
def test_an_interrupted_run_leaves_no_output(
    fetched: Params, method: str, sent: signal.Signals
) -> None:
    text = Path("params.yaml").read_text().replace("epochs: 3", "epochs: 1000000")
    Path("params.yaml").write_text(text)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipeline", "train"),
            *("--architecture", "mlp-8", "--method", method, "--seed", "1"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever runs the tests in the background of a shell has Ctrl-C ignored, and so would we.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert "1/1000000" in process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in errors
    for folder in (Path("models"), Path("runs")):
        left = [path for path in folder.glob("*") if path.suffix != ".partial"]
        assert left == []
