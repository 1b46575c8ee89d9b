"""A dataset as its publisher gives it: four files, with Fashion-MNIST's checksums."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common import checksum
from pipeline.common.errors import PipelineError
from pipeline.fetch import idx

ROLES = ("train-images", "train-labels", "test-images", "test-labels")

# These are of the decompressed files: gzip wrappers differ between sources.
FASHION_MNIST_SHA256 = {
    "train-images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "test-images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "test-labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True)
class RawDataset:
    """Images (count, height, width) and labels (count), uint8, before the split."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    class_names: tuple[str, ...]


def read_folder(
    folder: Path, *, checksums: dict[str, str] | None, class_names: tuple[str, ...] | None
) -> RawDataset:
    """Read the four IDX files in `folder`, gzip or not.

    Args:
        folder: holds one file each whose name has train-images, train-labels, and t10k- or
            test-images and -labels.
        checksums: the SHA-256 that each decompressed file must have, by role; None for a
            dataset of the user's own, which is checked for its form alone.
        class_names: one per class; None names the classes 0, 1, 2, ...

    Raises:
        PipelineError: a file is missing, damaged, swapped or not the one expected.
    """
    arrays = {}
    for role in ROLES:
        path = _find(folder, role)
        content = idx.read_bytes(path, expected=checksums[role] if checksums else None)
        if checksums is not None:
            _verify(path, role, checksum.sha256_bytes(content), checksums)
        arrays[role] = idx.parse(content, path, 3 if role.endswith("images") else 1)
    return assemble(arrays, class_names, str(folder))


def assemble(
    arrays: dict[str, NDArray[np.uint8]], class_names: tuple[str, ...] | None, origin: str
) -> RawDataset:
    """Check that images, labels and class names belong together.

    Raises:
        PipelineError: counts or image sizes differ, or a label has no class name.
    """
    for part in ("train", "test"):
        images, labels = len(arrays[f"{part}-images"]), len(arrays[f"{part}-labels"])
        if images != labels or not images:
            raise PipelineError(f"{origin}: {images} {part} images but {labels} labels")
    train_size, test_size = (arrays[f"{part}-images"].shape[1:] for part in ("train", "test"))
    if train_size != test_size:
        raise PipelineError(f"{origin}: train images are {train_size}, test images {test_size}")
    if 0 in train_size:
        raise PipelineError(
            f"{origin}: images are {' x '.join(map(str, train_size))}: they have no pixels"
        )
    classes = 1 + int(max(arrays["train-labels"].max(), arrays["test-labels"].max()))
    if class_names is None:
        class_names = tuple(str(label) for label in range(classes))
    if len(class_names) < max(classes, 2):
        raise PipelineError(
            f"{origin}: labels go up to {classes - 1}, but there are {len(class_names)} class "
            "names (data.class_names in params.yaml); at least two classes are needed"
        )
    if len(set(class_names)) < len(class_names):
        raise PipelineError(f"{origin}: two classes have the same name: {', '.join(class_names)}")
    return RawDataset(
        train_images=arrays["train-images"],
        train_labels=arrays["train-labels"],
        test_images=arrays["test-images"],
        test_labels=arrays["test-labels"],
        class_names=class_names,
    )


def _find(folder: Path, role: str) -> Path:
    part, kind = role.split("-")
    names = (f"{part}-{kind}", f"t10k-{kind}") if part == "test" else (role,)
    found = sorted(
        path
        for path in (folder.iterdir() if folder.is_dir() else ())
        if any(name in path.name for name in names) and path.is_file()
    )
    if not found:
        raise PipelineError(
            f"{folder} has no file whose name contains {' or '.join(names)}; four IDX files "
            "are needed (train-images, train-labels, t10k-images, t10k-labels; .gz or not)"
        )
    if len({path.name.removesuffix(".gz") for path in found}) > 1:
        names_found = ", ".join(path.name for path in found)
        raise PipelineError(f"{folder} has more than one file for {role}: {names_found}. Keep one.")
    return found[0]


def _verify(path: Path, role: str, actual: str, checksums: dict[str, str]) -> None:
    if actual == checksums[role]:
        return
    other = next((name for name, value in checksums.items() if value == actual), None)
    what = f"is the file of {other}: are they swapped?" if other else "is damaged or another file."
    raise PipelineError(
        f"{path} should hold {role} but {what} Get it again.\n"
        f"  sha256 of its content: {actual}\n  expected:              {checksums[role]}"
    )
