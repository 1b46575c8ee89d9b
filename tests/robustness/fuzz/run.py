"""Load damaged model files, one after another, and predict with those that load."""

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
from safetensors.numpy import load as load_with_library

from pipeline.common.errors import PipelineError
from pipeline.common.units import MIB
from pipeline.data.gamma import curve
from pipeline.engines.packed.model import PackedModel, load
from pipeline.engines.packed.predictor import Predictor
from pipeline.profiling.process_memory import peak_process_memory
from tests.oracle import SETS, nibbles
from tests.prediction import expected_logits
from tests.robustness.fuzz.models import files
from tests.robustness.fuzz.mutations import damaged

# A file of at most some 200 kB takes so much and no more; most sizes that a damaged file claims
# are far more.
MAX_MEMORY = 200 * MIB
# A report is made after so many files.
BATCH = 5000
IMAGES = 3
PREDICTED = "loaded and predicted"
# What `load` says of a file; the first that fits counts. A refusal that is not here is a finding.
REFUSALS = (
    "it is cut short",
    "and may have",
    "does not begin with a header",
    "it is not a JSON object",
    "it has a key twice",
    "it is nested too deeply",
    "is not plain JSON",
    "in its header",
    "safetensors refuses it",
    "is not a packed network",
    "it is of version",
    "in its description",
    "its checksum does not fit",
    "its maps do not fit",
    "too many channels",
    "features that fill no bytes",
    "pools its map away",
    "reads another map",
    "has other inputs",
    "is missing",
    "has another shape",
    "has bits past its last",
    "a threshold is too large",
    "a scale or shift is not finite",
    "a scale or shift is too large",
    "unknown arrays",
)


class FindingError(Exception):
    """What must not happen, with the file that makes it happen.

    Attributes:
        case: its number, from 0.
    """

    def __init__(self, case: int, message: str) -> None:
        super().__init__(message)
        self.case = case


def run(cases: int, seed: int, report: Callable[[str], None]) -> Counter[str]:
    """Try `cases` files and count how they end.

    A file that ends the process itself stays in the folder that is reported first.

    Raises:
        FindingError: one ended in anything but a prediction or a PipelineError. Its file stays.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    report(f"seed {seed}; the file being tried is in {folder}")
    whole = files(folder, seed)
    outcomes: Counter[str] = Counter()
    before = peak_process_memory()
    for case in range(cases):
        random = Random(f"{seed} {case}")
        path = folder / f"{seed}-{case}.safetensors"
        path.write_bytes(damaged(random, whole))
        try:
            outcomes[outcome(path, random)] += 1
            assert peak_process_memory() - before < MAX_MEMORY, "too much memory"
        except Exception as error:
            raise FindingError(case, f"seed {seed}, case {case}: {path}: {error!r}") from error
        path.unlink()
        if (case + 1) % BATCH == 0:
            grown = (peak_process_memory() - before) // MIB
            report(f"{case + 1} cases, {outcomes[PREDICTED]} {PREDICTED}, {grown} MiB more")
    folder.rmdir()
    return outcomes


def outcome(path: Path, random: Random) -> str:
    """Load a file, predict with it if it loads, and return which refusal or PREDICTED."""
    try:
        model = load(path)
    except PipelineError as error:
        message = str(error)
        assert message.startswith(f"{path} is not a valid model: "), message
        assert message.isascii(), message
        assert message.isprintable(), message
        assert len(message) < len(str(path)) + 300, message
        refusals = [refusal for refusal in REFUSALS if refusal in message]
        assert refusals, message
        return refusals[0]
    _compare_with_library(model, path)
    _predict(model, random)
    return PREDICTED


def _compare_with_library(model: PackedModel, path: Path) -> None:
    """What loads is a safetensors file to others, too, and the same one."""
    tensors = load_with_library(path.read_bytes())
    ours = model._tensors()
    assert set(tensors) == set(ours)
    for name, array in ours.items():
        assert array.dtype == tensors[name].dtype
        np.testing.assert_array_equal(array, tensors[name])


def _predict(model: PackedModel, random: Random) -> None:
    pixels = model.pixels
    images = np.frombuffer(random.randbytes(IMAGES * pixels), np.uint8).reshape(IMAGES, pixels)
    levels = curve(model.pixel_gamma)[images] >> (8 - model.pixel_bits)
    expected = expected_logits(model, levels)
    assert np.isfinite(expected).all()
    for threads in (1, 2):
        with mock.patch.dict("os.environ", BINARY_KERNELS=random.choice(SETS)):
            predictor = Predictor(model, threads)
            found = predictor.logits(images), predictor.encoded_logits(nibbles(levels))
        for logits in found:
            assert logits.dtype == expected.dtype
            np.testing.assert_array_equal(logits, expected)
