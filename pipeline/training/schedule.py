"""Learning rate schedules, the same to the last bit on every platform.

The packed engine's model files must be the same everywhere, and the learning rate enters their
weights. cos and pow of a platform's mathematical library may differ in their last bit. Additions,
multiplications and divisions may not: IEEE 754 rounds them exactly, and Python evaluates them in
the order that is written.
"""

import math

# With so many terms, what a Taylor series leaves out is below a float's 53 bits in the range used.
_COSINE_TERMS = 11  # (pi / 2)^24 / 24! is 8e-20
_EXPONENTIAL_TERMS = 14  # 0.44^15 / 15! is 3e-18
# e^x is (e^(x / 16))^16: four squarings, which cost four bits at most.
_SQUARINGS = 4
_LOG_1000 = 6.907755278982137


def cosine(done: float) -> float:
    """Return (1 + cos(pi done)) / 2, done in [0, 1], to within 1e-15: from 1 to 0."""
    # cos(pi - x) is -cos(x), and 1 - done is exact there.
    return 1.0 - _half_cosine(1.0 - done) if done > 0.5 else _half_cosine(done)


def exponential(done: float) -> float:
    """Return 1000^-done, done in [0, 1], to within 1e-14 of itself: from 1 to 1/1000."""
    x = -_LOG_1000 * done / (1 << _SQUARINGS)
    result = 1.0
    for n in range(_EXPONENTIAL_TERMS, 0, -1):
        result = 1.0 + result * x / n
    for _ in range(_SQUARINGS):
        result = result * result
    return result


def _half_cosine(done: float) -> float:
    """Return (1 + cos(pi done)) / 2 for done in [0, 1/2], by the Taylor series in Horner's form."""
    x = math.pi * done
    square = x * x
    result = 1.0
    for n in range(2 * _COSINE_TERMS, 0, -2):
        result = 1.0 - result * square / (n * (n - 1))
    return 0.5 * (1.0 + result)
