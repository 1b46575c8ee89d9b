"""Split the training images, class by class, into training and validation."""

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import PipelineError


def stratified_split(
    labels: NDArray[np.uint8], train: int, validation: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose `train` and `validation` of `labels`, each class in proportion.

    Args:
        labels: (count) uint8.
        train: how many images to train on.
        validation: how many to hold out.
        seed: of the choice.

    Returns:
        Two ascending, disjoint arrays of indices of the lengths asked for.

    Raises:
        PipelineError: there are fewer labels than are asked for.
    """
    if train + validation > len(labels):
        raise PipelineError(
            f"the split needs {train} + {validation} images, the dataset has {len(labels)}: "
            "lower data.train_images or data.validation_images in params.yaml"
        )
    generator = np.random.default_rng(seed)
    # A random order, then stably by class, gives each class a random order of its own;
    # its k-th of n images stands at (k + 1/2) / n on a common scale. Cutting that scale
    # serves every class in proportion, to within one image.
    order = generator.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    rank = np.concatenate([np.arange(n) for n in counts])
    position = (rank + 0.5) / np.repeat(np.maximum(counts, 1), counts)
    order = order[np.argsort(position, kind="stable")]
    return np.sort(order[:train]), np.sort(order[train : train + validation])
