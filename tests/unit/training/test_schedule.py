"""Schedules against the platform's mathematical library, and against numbers written down."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.training.schedule import cosine, exponential

SHARES = st.floats(0, 1)


@given(SHARES)
def test_cosine(done: float) -> None:
    assert cosine(done) == pytest.approx(0.5 * (1 + math.cos(math.pi * done)), abs=1e-15)


@given(SHARES)
def test_exponential(done: float) -> None:
    assert exponential(done) == pytest.approx(0.001**done, rel=1e-14)


@given(SHARES, SHARES)
def test_neither_rises(first: float, second: float) -> None:
    earlier, later = sorted((first, second))
    # Two neighbouring shares may be rounded against each other.
    assert cosine(later) <= cosine(earlier) + 2e-16
    assert exponential(later) <= exponential(earlier) * (1 + 2e-15)


def test_the_ends() -> None:
    assert (cosine(0.0), cosine(1.0), exponential(0.0)) == (1, 0, 1)
    assert cosine(0.5) == pytest.approx(0.5, abs=1e-15)
    assert exponential(1.0) == pytest.approx(0.001, rel=1e-14)


# To the last bit, on every machine that runs these tests.
EXPECTED = {
    0.001: ("0x1.ffffad3534100p-1", "0x1.fc79b4ea338aap-1"),
    0.1: ("0x1.f378709a22a80p-1", "0x1.009b9cf334254p-1"),
    0.3333333333333333: ("0x1.8000000000000p-1", "0x1.9999999999992p-4"),
    0.5: ("0x1.0000000000000p-1", "0x1.030dc4ea03a79p-5"),
    0.7: ("0x1.a61b9f7154b44p-3", "0x1.044914f3c02afp-7"),
    0.9: ("0x1.90f1ecbbab000p-6", "0x1.0585e4c78b085p-9"),
    0.999: ("0x1.4b2b2fc000000p-19", "0x1.07f60a591d22dp-10"),
}


@pytest.mark.parametrize("done", EXPECTED)
def test_the_same_bits_everywhere(done: float) -> None:
    assert (cosine(done).hex(), exponential(done).hex()) == EXPECTED[done]
