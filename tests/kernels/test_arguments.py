"""Every argument of every kernel: what does not fit is refused with the argument's name."""

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest


@dataclass(frozen=True)
class Call:
    """A call that fits: arrays by name, those that it writes among them, and numbers.

    Attributes:
        function: what is called, if it is not the function of the kernels that the case is named
            after.
    """

    arrays: dict[str, np.ndarray]
    written: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    function: Callable[..., Any] | None = None


def zeros(shape: tuple[int, ...], number: Any = np.float32) -> np.ndarray:
    return np.zeros(shape, number)


ROWS, PIXELS = zeros((4, 3), np.uint8), zeros((4, 16), np.uint8)
PANELS = zeros((1, 3, 32), np.uint8)
SUMS, FLOATS = zeros((1, 4, 32), np.int16), zeros((1, 4, 32))
BATCH = zeros((1, 5, 32))
INDEX = zeros((4,), np.int64)
OUT, FLOAT_OUT = zeros((1, 4, 32), np.int32), zeros((4, 32))
DRAW = {"draw": (0, 0, 0)}
BETAS = {"beta1": 0.9, "beta2": 0.999}
ADAM = dict.fromkeys(("beta1", "beta2", "epsilon", "step_size", "correction", "limit"), 0.5)

CALLS = {
    "pack_rows": Call({"x": zeros((4, 20))}),
    "pack_latent": Call({"latent": zeros((4, 32))}, counts={"columns": 20}),
    "interleave": Call({"rows": ROWS}),
    "transpose": Call(
        {"rows": ROWS, "out": zeros((1, 1, 32), np.uint8)}, ("out",), {"columns": 20}
    ),
    "bits_by_bits": Call({"a": ROWS, "b": PANELS, "out": OUT}, ("out",), {"elements": 20}),
    "pixels_by_bits": Call(
        {"x": PIXELS, "b": PANELS, "out": OUT, "index": INDEX}, ("out",), {"elements": 20}
    ),
    "gradients_by_bits": Call(
        {"a": zeros((4, 20), np.int8), "b": PANELS, "out": OUT},
        ("out",),
        {"elements": 20, "max": 7},
    ),
    "gradients_by_pixels": Call(
        {"a": zeros((4, 4), np.int8), "x": PIXELS, "out": OUT, "index": INDEX},
        ("out",),
        {"max": 7},
    ),
    "floats_by_bits": Call(
        {"a": zeros((4, 20)), "b": zeros((20, 4), np.uint8), "out": FLOAT_OUT},
        ("out",),
        {"elements": 20},
    ),
    "floats_by_pixels": Call(
        {"a": zeros((4, 4)), "x": PIXELS, "out": FLOAT_OUT, "index": INDEX}, ("out",)
    ),
    "batch_statistics": Call(
        {"s": SUMS, "parameters": zeros((1, 2, 32)), "batch": BATCH},
        ("batch",),
        others={"epsilon": 1e-5},
    ),
    "binarize": Call(
        {"s": SUMS, "batch": BATCH, "out": zeros((4, 4), np.uint8)},
        ("out",),
        {"columns": 32, "first_panel": 0},
    ),
    "normalize_backward": Call(
        {
            **{"s": SUMS, "batch": BATCH, "gradient": FLOATS, "factor": zeros((4,))},
            **{"out": FLOATS, "parameter_gradient": zeros((1, 2, 32))},
        },
        ("out", "parameter_gradient"),
        others={"masked": True},
    ),
    "round_columns": Call(
        {"g": FLOATS, "out": zeros((32, 32), np.int8), "factors": zeros((32,))},
        ("out", "factors"),
        {"columns": 32, "max": 7, "first_panel": 0},
        DRAW,
    ),
    "round_rows": Call(
        {"g": FLOATS, "out": zeros((4, 32), np.int8), "factors": zeros((4,))},
        ("out", "factors"),
        {"columns": 32, "max": 7},
        DRAW,
    ),
    "softmax_gradient": Call(
        {"s": SUMS, "batch": BATCH, "labels": zeros((4,), np.uint8), "out": FLOATS},
        ("out",),
        {"classes": 10},
    ),
    "adam": Call(
        {
            **{name: zeros((4, 32)) for name in ("weights", "m", "v", "gradient")},
            "factor": zeros((4,)),
        },
        ("weights", "m", "v"),
        others=ADAM,
    ),
    "bop": Call(
        {
            **{"bits": zeros((4, 4), np.uint8), "m": FLOAT_OUT},
            **{"gradient": zeros((4, 32), np.int32), "factor": zeros((4,))},
        },
        ("bits", "m"),
        {"columns": 32},
        {"adaptivity": 0.1, "threshold": 0.1},
    ),
    "rowprop": Call(
        {
            **{"latent": zeros((4, 32), np.int8), "mean_square": zeros((4,))},
            **{"gradient": zeros((4, 32)), "factor": zeros((4,))},
        },
        ("latent", "mean_square"),
        {"columns": 20, "first_row": 0},
        dict.fromkeys(("rate", "correction", "beta"), 0.5),
    ),
    "rowprop_learner": Call(
        {"latent": zeros((4, 32), np.int8), "mean_square": zeros((4,))},
        ("latent", "mean_square"),
        {"columns": 20},
        {"beta": 0.999},
    ),
    "adam_learner": Call(
        {name: zeros((4, 32)) for name in ("latent", "m", "v")},
        ("latent", "m", "v"),
        {"columns": 20},
        BETAS | {"epsilon": 1e-8},
    ),
    "bop_learner": Call(
        {"bits": zeros((4, 3), np.uint8), "m": zeros((4, 32))},
        ("bits", "m"),
        {"columns": 20},
        {"adaptivity_per_rate": 0.1, "threshold": 0.1},
    ),
    "Trainer": Call(
        {name: zeros((1, 2, 32)) for name in ("running", "parameters", "m", "v")},
        ("running", "parameters", "m", "v"),
        {"max_gradient": 7, "threads": 1},
        function=lambda **arguments: trainer(**arguments),
    ),
    "Trainer.step": Call(
        {"images": PIXELS, "index": INDEX, "labels": zeros((4,), np.uint8)},
        function=lambda **arguments: trainer().step(**(STEP | arguments)),
    ),
}
# Of these, that of a trainer is among its counts.
WITHOUT_THREADS = {"rowprop_learner", "adam_learner", "bop_learner", "Trainer", "Trainer.step"}
STEP: dict[str, Any] = {
    **dict.fromkeys(("learning_rate", "step_size", "correction", "correction_before"), 0.5),
    **{"weight_noise": 0.0, "number": 0},
}


def learner(rows: int, columns: int) -> Any:
    latent = zeros((rows, -(-columns // 32) * 32), np.int8)
    return kernels.rowprop_learner(latent, zeros((rows,)), columns, beta=0.999)


def trainer(sizes: Sequence[tuple[int, int]] = ((4, 20),), **changes: Any) -> Any:
    """Return a network whose layers have so many outputs and inputs each."""
    options = {
        **{name: zeros((1, 2, 32)) for name in ("running", "parameters", "m", "v")},
        "learners": [learner(*size) for size in sizes],
        **{"max_gradient": 7, "stochastic": False, "threads": 1},
        **{"label_smoothing": 0.1, "epsilon": 1e-5, "momentum": 0.1, "seed": 1},
        **BETAS,
        **{"adam_epsilon": 1e-8},
        **changes,
    }
    if not isinstance(options["running"], tuple):
        # Of one layer.
        options["running"] = (options["running"],)
    return kernels.Trainer(**options | {"running": list(options["running"])})


def unaligned(array: np.ndarray) -> np.ndarray:
    """Return a writable copy that begins a byte past a multiple of its type's size."""
    memory = np.zeros(array.nbytes + array.itemsize, np.uint8)
    first = 1 - memory.ctypes.data % array.itemsize
    return memory[first:][: array.nbytes].view(array.dtype).reshape(array.shape)


def read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


# What is done to an array, and what its error then says of it.
DAMAGES: dict[str, tuple[Callable[[np.ndarray], Any], str]] = {
    "list": (np.ndarray.tolist, "must be a NumPy array"),
    # Another thread could resize it during the call.
    "bytes": (lambda array: bytearray(array.tobytes()), "must be a NumPy array"),
    "type": (lambda array: array.astype(np.float64), "must be of type"),
    "axes": (lambda array: array[None, None], "axes, it has"),
    "no axes": (lambda array: array.reshape(-1)[0:1].reshape(()), "axes, it has 0"),
    "empty": (lambda array: array[:0], "must not be empty"),
    "stride": (lambda array: np.repeat(array, 2, axis=-1)[..., ::2], "must be C-contiguous"),
    "alignment": (unaligned, "must be aligned to its type"),
    "read-only": (read_only, "must be writable"),
}


def array_cases() -> Iterator[Any]:
    for function, call in CALLS.items():
        for name, array in call.arrays.items():
            for damage in DAMAGES:
                fits = {
                    "alignment": array.itemsize == 1,
                    "read-only": name not in call.written,
                }.get(damage, False)
                if not fits:
                    yield pytest.param(function, name, damage, id=f"{function}-{name}-{damage}")


def run(function: str, **changes: Any) -> None:
    call = CALLS[function]
    arrays = {
        # What is only read may be read-only.
        name: array.copy() if name in call.written else read_only(array)
        for name, array in call.arrays.items()
    }
    called = call.function or getattr(kernels, function)
    called(**(arrays | call.counts | call.others | changes))


@pytest.mark.parametrize("function", CALLS)
def test_what_fits_is_taken(function: str) -> None:
    run(function)


def test_every_function_is_tested() -> None:
    functions = {name for name in dir(kernels) if not name.startswith("_")}
    # A learner is made by one of three functions.
    tested = {name for name in CALLS if "." not in name}
    assert functions - {"Network", "Learner", "instruction_set"} == tested


@pytest.mark.parametrize(("function", "name", "damage"), list(array_cases()))
def test_a_wrong_array_is_named(function: str, name: str, damage: str) -> None:
    change, message = DAMAGES[damage]
    with pytest.raises((TypeError, ValueError), match=f"^{name} .*{message}"):
        run(function, **{name: change(CALLS[function].arrays[name])})


@pytest.mark.parametrize("number", [-1, -(2**70), 2**64 - 1, 2**70, 1.5, "1"])
@pytest.mark.parametrize(
    ("function", "name"),
    [
        (function, name)
        for function, call in CALLS.items()
        for name in (*call.counts, *(() if function in WITHOUT_THREADS else ("threads",)))
    ],
)
def test_a_wrong_number_is_named(function: str, name: str, number: Any) -> None:
    whole = isinstance(number, int)
    with pytest.raises(ValueError if whole else TypeError, match=f"^{name} must be"):
        run(function, **{name: number})


@pytest.mark.parametrize("number", [-1, 2**70, 1.5])
def test_a_wrong_number_of_a_network_is_named(number: Any) -> None:
    bits, ones = [np.zeros((3, 3), np.uint8)], np.ones(3, np.float32)
    levels = np.zeros(256, np.uint8)
    with pytest.raises((TypeError, ValueError), match=r"^inputs must be"):
        kernels.Network(levels, [number], bits, [], ones, ones)


@pytest.mark.parametrize("damage", ["list", "type", "stride"])
def test_wrong_levels_of_a_network_are_named(damage: str) -> None:
    make, message = DAMAGES[damage]
    bits, ones = [np.zeros((3, 3), np.uint8)], np.ones(3, np.float32)
    with pytest.raises((TypeError, ValueError), match=f"^levels {message}"):
        kernels.Network(make(np.zeros(256, np.uint8)), [20], bits, [], ones, ones)
    with pytest.raises(ValueError, match=r"^levels must have 256 elements"):
        kernels.Network(np.zeros(255, np.uint8), [20], bits, [], ones, ones)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: kernels.Learner(), TypeError, "Learner"),
        (
            lambda: kernels.rowprop_learner(zeros((4, 64), np.int8), zeros((4,)), 20, beta=0.9),
            ValueError,
            "latent must have the columns, padded to a multiple of 32, on axis 1",
        ),
        (
            lambda: kernels.rowprop_learner(zeros((4, 32), np.int8), zeros((4,)), 0, beta=0.9),
            ValueError,
            "latent must have the columns",
        ),
        (
            lambda: kernels.rowprop_learner(zeros((4, 32), np.int8), zeros((5,)), 20, beta=0.9),
            ValueError,
            "mean_square must have 4 elements on axis 0",
        ),
        (
            lambda: kernels.adam_learner(
                *(zeros((rows, 32)) for rows in (4, 5, 4)), 20, **BETAS, epsilon=1e-8
            ),
            ValueError,
            "m must have 4 elements on axis 0",
        ),
        (
            lambda: kernels.bop_learner(
                zeros((4, 4), np.uint8), zeros((4, 32)), 20, adaptivity_per_rate=0.1, threshold=0.1
            ),
            ValueError,
            "bits must have 3 elements on axis 1",
        ),
        (
            lambda: kernels.bop_learner(
                zeros((3, 3), np.uint8), zeros((4, 32)), 20, adaptivity_per_rate=0.1, threshold=0.1
            ),
            ValueError,
            "bits must have 4 elements on axis 0",
        ),
    ],
)
def test_a_wrong_learner_is_refused(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"learners": []}, ValueError, "learners and running must have an entry for each layer"),
        ({"sizes": [(4, 20)] * 2}, ValueError, "learners and running must have an entry"),
        ({"learners": [zeros((4, 32))]}, TypeError, "learners must be of type Learner"),
        ({"learners": [None]}, TypeError, "learners must be of type Learner"),
        (
            {"sizes": [(4, 20), (3, 5)], "running": (zeros((1, 2, 32)),) * 2},
            ValueError,
            "a layer's columns must be the rows of the layer before",
        ),
        ({"sizes": [(33, 20)]}, ValueError, "running must have 2 elements on axis 0"),
        ({"running": zeros((1, 5, 32))}, ValueError, "running must have 2 elements on axis 1"),
        ({"running": zeros((1, 2, 64))}, ValueError, "running must have 32 elements on axis 2"),
        ({"parameters": zeros((2, 2, 32))}, ValueError, "parameters must have 1 elements on axis"),
        ({"m": zeros((2, 2, 32))}, ValueError, "m must have 1 elements on axis 0"),
        ({"v": zeros((1, 2, 33))}, ValueError, "v must have 32 elements on axis 2"),
        ({"max_gradient": 0}, ValueError, r"max_gradient must be in 1\.\.112"),
        ({"max_gradient": 113}, ValueError, r"max_gradient must be in 1\.\.112"),
        ({"label_smoothing": 1.0}, ValueError, r"label_smoothing must be in \[0, 1\)"),
        ({"label_smoothing": -0.1}, ValueError, r"label_smoothing must be in \[0, 1\)"),
        ({"label_smoothing": float("nan")}, ValueError, r"label_smoothing must be in \[0, 1\)"),
        ({"threads": 0}, ValueError, "threads must be in"),
        ({"seed": -1}, TypeError, "seed"),
    ],
)
def test_a_wrong_trainer_is_refused(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        trainer(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"images": zeros((4, 32), np.uint8)},
            ValueError,
            "images must have 16 bytes for 32 pixels on axis 1",
        ),
        (
            {"images": zeros((4, 10), np.uint8)},
            ValueError,
            "images must have 16 bytes for 32 pixels on axis 1",
        ),
        ({"index": np.array([0, 1, 2, 4])}, ValueError, "index must name rows of images"),
        ({"index": np.array([0, 1, 2, -1])}, ValueError, "index must name rows of images"),
        ({"index": np.array([0])}, ValueError, r"index must have 2\.\."),
        ({"index": zeros((2**21,), np.int64)}, ValueError, r"index must have 2\.\.1127"),
        ({"index": None}, TypeError, "index"),
        ({"labels": zeros((3,), np.uint8)}, ValueError, "labels must have 4 elements on axis 0"),
        ({"labels": np.array([0, 1, 4, 2], np.uint8)}, ValueError, "labels must be below"),
        ({"weight_noise": 1.5}, ValueError, r"weight_noise must be in \[0, 1\]"),
        ({"weight_noise": float("nan")}, ValueError, r"weight_noise must be in \[0, 1\]"),
        ({"number": -1}, TypeError, "number"),
        ({"number": 2**32}, TypeError, "number"),
        ({"instruction_set": "nonsense"}, ValueError, "unknown instruction set 'nonsense'"),
    ],
)
def test_a_wrong_step_is_refused_and_changes_nothing(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    parameters = zeros((1, 2, 32))
    made = trainer(parameters=parameters)
    arguments = STEP | CALLS["Trainer.step"].arrays | changes
    with pytest.raises(error, match=message):
        made.step(**arguments)
    assert not parameters.any()


def test_a_trainer_keeps_what_it_points_to() -> None:
    """Its learners and their arrays are its own from then on, whoever else lets go of them."""
    latent = np.full((4, 32), 3, np.int8)
    made = trainer(learners=[kernels.rowprop_learner(latent, zeros((4,)), 20, beta=0.9)])
    references = sys.getrefcount(latent)
    gc.collect()
    made.step(**(STEP | CALLS["Trainer.step"].arrays))
    assert (latent[:, :20] == 3).all()
    del made
    gc.collect()
    assert sys.getrefcount(latent) < references
