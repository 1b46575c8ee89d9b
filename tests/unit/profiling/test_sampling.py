"""The one scheduler: fresh processes that take turns."""

import pickle
import subprocess
import sys

import pytest

from pipeline.common.errors import PipelineError
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.profiling import sampling
from pipeline.profiling.memory_curve import memory_curve
from pipeline.profiling.sampling import Case, Sample, take_turns
from pipeline.profiling.stopwatch import Timing
from tests.conftest import HEAVY


@pytest.fixture
def fetched(params: Params) -> Params:
    store(sources.find(params.data, lambda _: None), params.data)
    return params


def test_cases_take_turns_round_after_round(fetched: Params) -> None:
    methods = ("float", "deterministic")
    cases = {name: Case(fetched.methods[name], "mlp-8", 10, 1) for name in methods}
    samples: list[tuple[int, str, Sample]] = []
    take_turns(cases, 2, 0.01, fetched.data, lambda *sample: samples.append(sample))
    assert [sample[:2] for sample in samples] == [(n, m) for n in (1, 2) for m in methods]
    for _, name, sample in samples:
        assert sample.epoch_seconds > 0
        assert set(sample.phase_seconds) >= {"forward", "backward", "optimizer", "loop"}
        # torch's import alone takes more than 200 MiB, and what trains in bits does not have it.
        assert (sample.process_memory > 200 * MIB) == (name == "float")


# What a measured process does, whichever measurement it is for.
TRAINING = """
import pickle
import sys

import pipeline.profiling.memory_curve
from pipeline.engines.engine import load_data
from pipeline.profiling.sampling import Stopwatch

case = pickle.loads(sys.stdin.buffer.read())
data = load_data(case.method)
Stopwatch(data, case.method, case.architecture, case.batch_size, case.threads).run(0.0)
print(*sys.modules)
"""


def test_what_trains_in_bits_is_measured_without_what_training_does_not_need(
    fetched: Params,
) -> None:
    case = Case(fetched.methods["deterministic"], "mlp-8", 10, 1)
    done = subprocess.run(
        [sys.executable, "-c", TRAINING],
        input=pickle.dumps(case),
        capture_output=True,
        check=True,
    )
    imported = set(done.stdout.decode().split())
    assert "binary_kernels" in imported
    assert imported & (HEAVY | {"typer", "ruamel.yaml", "memory_profiler", "memray"}) == set()


def test_the_fastest_turn_counts() -> None:
    timings = [Timing(seconds, {"forward": seconds / 2}) for seconds in (3, 2, 4, 8)]
    sample = sampling._sample(timings, 7)
    assert sample == Sample(2, {"forward": 4, "loop": 4}, 7)


def test_a_case_that_cannot_run_is_named(fetched: Params) -> None:
    case = Case(fetched.methods["deterministic"], "mlp-8", 61, 1)
    with pytest.raises(PipelineError, match=r"a batch of 61 images is more than training has"):
        take_turns({"deterministic": case}, 1, 0.01, fetched.data, lambda *_: None)


def test_a_case_without_data_says_what_to_do(params: Params) -> None:
    case = Case(params.methods["deterministic"], "mlp-8", 10, 1)
    with pytest.raises(PipelineError, match="python -m pipeline fetch"):
        take_turns({"deterministic": case}, 1, 0.01, params.data, lambda *_: None)


def test_a_memory_curve_begins_before_the_network_is_built(fetched: Params) -> None:
    case = Case(fetched.methods["deterministic"], "mlp-8", 10, 1)
    curve = memory_curve("deterministic", case, 0.1, 0.01, fetched.data)
    seconds = [at for at, _ in curve]
    assert seconds == sorted(seconds)
    assert seconds[0] < 0 < seconds[-1]
    assert curve[0][1] < curve[-1][1]
