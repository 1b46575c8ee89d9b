"""The split dataset on disk: one .npy file per array, and dataset.json with their checksums."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common import checksum
from pipeline.common.atomic import atomic_directory
from pipeline.config.params import DataParams
from pipeline.config.paths import DATA
from pipeline.fetch.raw import RawDataset
from pipeline.fetch.split import stratified_split


def store(raw: RawDataset, params: DataParams, folder: Path = DATA) -> None:
    """Split `raw` as `params` says and write it to `folder`, whole or not at all.

    Raises:
        PipelineError: fewer images than the split needs, or `folder` cannot be written.
    """
    train, validation = stratified_split(
        raw.train_labels, params.train_images, params.validation_images, params.split_seed
    )
    arrays = {
        "train-images": raw.train_images[train],
        "train-labels": raw.train_labels[train],
        "validation-images": raw.train_images[validation],
        "validation-labels": raw.train_labels[validation],
        "test-images": raw.test_images,
        "test-labels": raw.test_labels,
    }
    with atomic_directory(folder) as temporary:
        sums = {}
        for name, array in arrays.items():
            flat = array.reshape(len(array), -1) if name.endswith("images") else array
            path = temporary / f"{name}.npy"
            _write_array(path, np.ascontiguousarray(flat))
            sums[path.name] = checksum.sha256_file(path)
        # Nothing here tells which source was used: whoever runs this on the same dataset
        # must get the same folder, to the byte.
        description = {
            "class_names": list(raw.class_names),
            "image_shape": list(raw.train_images.shape[1:]),
            "sha256": sums,
        }
        (temporary / "dataset.json").write_text(json.dumps(description, indent=2) + "\n")


def _write_array(path: Path, array: NDArray[np.uint8]) -> None:
    """Write what `np.save` writes, whose own error does not say that the disk is full."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)
