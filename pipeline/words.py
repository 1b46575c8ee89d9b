"""Numbers and names as words."""

from collections.abc import Iterable, Sequence

# What is said of a ratio whose interval holds 1.
NO_DIFFERENCE = "no difference"


def span(values: Iterable[float], digits: int) -> str:
    """Return the smallest and the largest value, or one where they are written alike."""
    numbers = list(values)
    low, high = (f"{end:.{digits}f}" for end in (min(numbers), max(numbers)))
    return low if low == high else f"{low} to {high}"


def listed(names: Sequence[str]) -> str:
    """Return names as an enumeration: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
