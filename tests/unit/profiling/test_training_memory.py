import subprocess
import sys

import numpy as np
import pytest

from pipeline.common.errors import PipelineError
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.engines.engine import load_data
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.profiling.process_memory import peak_process_memory
from pipeline.profiling.sampling import Case, sample_memory


def test_a_peak_is_seen_after_the_memory_is_free_again() -> None:
    block = np.ones(64 * MIB, np.uint8)
    held = peak_process_memory()
    del block
    # The kernel's counters lag by a few pages per processor.
    assert peak_process_memory() > held - MIB
    assert held > 64 * MIB


def test_a_parents_memory_is_not_counted() -> None:
    program = (
        "import subprocess, sys\n"
        "block = bytearray(400 * 1024 * 1024)\n"
        "measure = (\n"
        "    'from pipeline.profiling.process_memory import peak_process_memory\\n'\n"
        "    'print(peak_process_memory())'\n"
        ")\n"
        "subprocess.run([sys.executable, '-c', measure], check=True)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200 * MIB


@pytest.fixture
def fetched(params: Params) -> Params:
    store(sources.find(params.data, lambda _: None), params.data)
    return params


@pytest.mark.parametrize("method", ["float", "deterministic"])
def test_training_memory_is_what_is_allocated_to_train(fetched: Params, method: str) -> None:
    recipe = fetched.methods[method]
    narrow, again, wide = (
        sample_memory(method, Case(recipe, architecture, 10, 1), fetched.data)
        for architecture in ("mlp-8", "mlp-8", "mlp-2048")
    )
    # A process's mood, or what its libraries keep, is no part of it.
    assert narrow.peak == pytest.approx(again.peak, rel=0.05)
    assert narrow.breakdown == again.breakdown
    added = wide.peak - narrow.peak
    counted = sum(wide.breakdown.values()) - sum(narrow.breakdown.values())
    # Libraries' own buffers, which grow with the products, are allocated too.
    assert 0.9 * counted < added < counted + 2 * MIB
    pixels = load_data(recipe).pixels
    weights = (pixels + 3) * (2048 - 8)
    assert wide.breakdown["weights"] > weights * (4 if method == "float" else 1)


def test_a_batch_of_more_than_all_images_is_one_message(fetched: Params) -> None:
    case = Case(fetched.methods["deterministic"], "mlp-8", 61, 1)
    with pytest.raises(PipelineError, match=r"a batch of 61 images is more than training has \(60"):
        sample_memory("deterministic", case, fetched.data)


def test_data_of_other_params_are_refused(fetched: Params) -> None:
    split = fetched.data.model_copy(update={"train_images": 50})
    case = Case(fetched.methods["deterministic"], "mlp-8", 10, 1)
    with pytest.raises(PipelineError, match="holds 60 training and 30 validation images"):
        sample_memory("deterministic", case, split)
