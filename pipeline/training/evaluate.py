"""Loss, error and confusion counts of a network on one part of the data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.data.dataset import Part
from pipeline.engines.engine import Engine

# Large enough for an efficient product, small enough not to raise a process's peak.
EVALUATION_BATCH = 1000


@dataclass(frozen=True)
class Evaluation:
    """How well a network predicts a part of the data.

    Attributes:
        loss: mean cross-entropy, in nats.
        confusion: (classes, classes) counts, rows the actual class, columns the predicted.
    """

    loss: float
    confusion: NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Percent of images whose class is predicted."""
        return 100.0 * int(np.trace(self.confusion)) / int(self.confusion.sum())

    @property
    def error(self) -> float:
        """Percent of images whose class is missed."""
        return 100.0 - self.accuracy

    def summary(self, class_names: tuple[str, ...]) -> dict[str, Any]:
        """Return loss, accuracies (percent) and counts as plain numbers for JSON.

        A class without images has the accuracy None.
        """
        per_class = [
            100.0 * int(hits) / int(total) if total else None
            for hits, total in zip(
                np.diagonal(self.confusion), self.confusion.sum(axis=1), strict=True
            )
        ]
        return {
            "loss": self.loss,
            "accuracy": self.accuracy,
            "per_class_accuracy": dict(zip(class_names, per_class, strict=True)),
            "confusion": self.confusion.tolist(),
        }


def evaluate(engine: Engine, part: Part, classes: int) -> Evaluation:
    """Evaluate the network as it predicts, on all of `part`, whose labels are below `classes`."""
    confusion = np.zeros((classes, classes), np.int64)
    loss = 0.0
    for start in range(0, len(part), EVALUATION_BATCH):
        labels = part.labels[start : start + EVALUATION_BATCH].astype(np.int64)
        logits = engine.logits(part.images[start : start + EVALUATION_BATCH]).astype(np.float64)
        loss += float(cross_entropy(logits, labels).sum())
        np.add.at(confusion, (labels, logits.argmax(axis=1)), 1)
    return Evaluation(loss / len(part), confusion)


def cross_entropy(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return -log softmax(logits)[label] in nats, (batch).

    Args:
        logits: (batch, classes).
        labels: (batch).
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    picked = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    result: NDArray[np.float64] = np.log(np.exp(shifted).sum(axis=1)) - picked
    return result
