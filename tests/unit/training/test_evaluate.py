import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.dataset import Part
from pipeline.training.evaluate import EVALUATION_BATCH, cross_entropy, evaluate


class Copying:
    """Predicts the class that an image's first pixel names."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        logits: np.ndarray = 5 * np.eye(3, dtype=np.float32)[images[:, 0]]
        return logits


@given(st.integers(1, 20), st.integers(0, 1000), st.sampled_from([1.0, 1e3, 1e30]))
def test_cross_entropy_is_torchs(rows: int, seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(rows, 4)) * scale
    labels = generator.integers(0, 4, rows)
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits), torch.from_numpy(labels), reduction="none"
    )
    np.testing.assert_allclose(cross_entropy(logits, labels), expected, rtol=1e-9, atol=1e-9)


def test_counts_loss_and_accuracies() -> None:
    count = EVALUATION_BATCH + 200
    labels = (np.arange(count) % 3).astype(np.uint8)
    predicted = labels.copy()
    predicted[:100] = 0
    result = evaluate(Copying(), Part(predicted[:, None], labels), 3)  # type: ignore[arg-type]
    expected = np.zeros((3, 3), np.int64)
    np.add.at(expected, (labels, predicted), 1)
    np.testing.assert_array_equal(result.confusion, expected)
    missed = int((predicted != labels).sum())
    assert result.error == 100 - result.accuracy
    np.testing.assert_allclose(result.error, 100 * missed / count)
    hit, miss = np.log(np.exp(5) + 2) - 5, np.log(np.exp(5) + 2)
    np.testing.assert_allclose(result.loss, (missed * miss + (count - missed) * hit) / count)
    summary = result.summary(("a", "b", "c"))
    assert summary["per_class_accuracy"]["a"] == 100
    assert summary["confusion"] == expected.tolist()


def test_a_class_without_images_has_no_accuracy() -> None:
    part = Part(np.zeros((4, 1), np.uint8), np.zeros(4, np.uint8))
    result = evaluate(Copying(), part, 3)  # type: ignore[arg-type]
    assert result.summary(("a", "b", "c"))["per_class_accuracy"] == {
        "a": 100,
        "b": None,
        "c": None,
    }
