"""Numbers and names as words."""

from collections.abc import Iterable, Sequence

# What is said of a ratio whose interval holds 1.
NO_DIFFERENCE = "no difference"


def chance_of_one_sign(seeds: int) -> str:
    """Say how often all differences of so many seeds have one sign by chance."""
    if seeds == 1:
        return "Of one seed there is no telling a change from chance."
    return (
        f"That all {seeds} seeds have one sign is no proof: where nothing differs it happens one "
        f"time in {2 ** (seeds - 1)}."
    )


def format_range(values: Iterable[float], digits: int) -> str:
    """Return the smallest and the largest value, or one where they are written alike."""
    numbers = list(values)
    low, high = (f"{end:.{digits}f}" for end in (min(numbers), max(numbers)))
    return low if low == high else f"{low} to {high}"


def join_words(names: Sequence[str]) -> str:
    """Return names as an enumeration: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
