"""Every argument of every kernel: what does not fit is refused with the argument's name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest


@dataclass(frozen=True)
class Call:
    """A call that fits: arrays by name, those that it writes among them, and numbers."""

    arrays: dict[str, np.ndarray]
    written: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


def zeros(shape: tuple[int, ...], number: Any = np.float32) -> np.ndarray:
    return np.zeros(shape, number)


ROWS, PIXELS = zeros((4, 3), np.uint8), zeros((4, 16), np.uint8)
PANELS = zeros((1, 3, 32), np.uint8)
SUMS, FLOATS = zeros((1, 4, 32), np.int16), zeros((1, 4, 32))
BATCH = zeros((1, 5, 32))
INDEX = zeros((4,), np.int64)
OUT, FLOAT_OUT = zeros((1, 4, 32), np.int32), zeros((4, 32))
DRAW = {"draw": (0, 0, 0)}
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
        {"first_row": 0},
        ADAM,
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
}


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
    getattr(kernels, function)(**(arrays | call.counts | call.others | changes))


@pytest.mark.parametrize("function", CALLS)
def test_what_fits_is_taken(function: str) -> None:
    run(function)


def test_every_function_is_tested() -> None:
    functions = {name for name in dir(kernels) if not name.startswith("_")}
    assert functions - {"Network", "instruction_set"} == set(CALLS)


@pytest.mark.parametrize(("function", "name", "damage"), list(array_cases()))
def test_a_wrong_array_is_named(function: str, name: str, damage: str) -> None:
    change, message = DAMAGES[damage]
    with pytest.raises((TypeError, ValueError), match=f"^{name} .*{message}"):
        run(function, **{name: change(CALLS[function].arrays[name])})


@pytest.mark.parametrize("number", [-1, -(2**70), 2**64 - 1, 2**70, 1.5, "1"])
@pytest.mark.parametrize(
    ("function", "name"),
    [(function, name) for function, call in CALLS.items() for name in (*call.counts, "threads")],
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
