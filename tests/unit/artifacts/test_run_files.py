"""What chance is, from the counts of a run."""

import numpy as np
import pytest

from pipeline.artifacts.run_files import chance_level, is_at_chance


def part(images: list[int], hits: list[int]) -> dict[str, object]:
    """A part of so many images by class, of which so many hit; the others go to the next class."""
    confusion = np.diag(hits)
    for actual, missed in enumerate(np.subtract(images, hits)):
        confusion[actual, (actual + 1) % len(images)] += missed
    return {"accuracy": 100 * sum(hits) / sum(images), "confusion": confusion.tolist()}


def test_the_chance_level_is_the_share_of_the_largest_class() -> None:
    assert chance_level(part([10, 30, 20], [0, 0, 0])) == 50
    assert chance_level(part([1000] * 10, [1000] * 10)) == 10


@pytest.mark.parametrize(
    ("images", "hits", "expected"),
    [
        # 10 % and three standard errors of 0.3 points.
        ([1000] * 10, [1000] + [0] * 9, True),
        ([1000] * 10, [1000, 89] + [0] * 8, True),
        ([1000] * 10, [1000, 91] + [0] * 8, False),
        # Below chance is no better.
        ([1000] * 10, [0] * 10, True),
        ([1000] * 10, [900] * 10, False),
        # Naming the largest class is no knowledge, however many images are in it.
        ([9000, 1000], [9000, 0], True),
        ([9000, 1000], [9000, 91], False),
        # Nothing can be told from a single class, or from so few images.
        ([100], [100], False),
        ([2, 1], [0, 0], False),
    ],
)
def test_a_network_at_chance_is_told_from_one_that_learned(
    images: list[int], hits: list[int], expected: bool
) -> None:
    assert is_at_chance(part(images, hits)) is expected
