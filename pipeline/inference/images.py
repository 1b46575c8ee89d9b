"""Images of the user's own, from whatever they are kept in, as rows of uint8 pixels."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.common.errors import PipelineError
from pipeline.data import npy
from pipeline.fetch import idx

PICTURES = (".png", ".jpg", ".jpeg")
# Pillow's readers of other formats, whatever the file's name, may start programs.
_FORMATS = ("PNG", "JPEG")
# So many images are read at a time: an array of a million is never held as a whole.
CHUNK = 4096
# In these modes, 8 bits or one bit say how bright a pixel is.
_GREY = ("L", "1")


@dataclass(frozen=True)
class Images:
    """Some images, and where each is from.

    Attributes:
        sources: a name per image: its file, with its number where the file has several.
        pixels: (images, pixels) uint8.
    """

    sources: list[str]
    pixels: NDArray[np.uint8]


def read_images(paths: Sequence[Path], pixels: int) -> Iterator[Images]:
    """Yield the images of pictures, folders of pictures, IDX files and .npy files, in order.

    Args:
        paths: where they are. A folder's pictures are read in order of their names, those of
            folders in it are not; an IDX file may be gzip.
        pixels: how many each image must have.

    Raises:
        PipelineError: a path is missing, damaged, of another kind or shape, or a folder without
            pictures; the message says which and what to do.
    """
    for path in paths:
        try:
            if path.is_dir():
                yield from _pictures(_pictures_in(path), pixels)
            elif path.suffix.lower() in PICTURES:
                yield from _pictures([path], pixels)
            elif path.suffix.lower() == ".npy":
                yield from _array(_read_npy(path), path, pixels)
            else:
                yield from _array(idx.parse(idx.read_bytes(path), path, 3), path, pixels)
        except OSError as error:
            raise PipelineError(f"cannot read {path}: {error.strerror or error}") from error


def _pictures_in(folder: Path) -> list[Path]:
    found = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURES and not path.name.startswith(".")
    )
    if not found:
        raise PipelineError(
            f"{folder} has no pictures: PNG or JPEG files are read, not those of folders in it"
        )
    return found


def _pictures(paths: Sequence[Path], pixels: int) -> Iterator[Images]:
    for start in range(0, len(paths), CHUNK):
        some = paths[start : start + CHUNK]
        yield Images([str(path) for path in some], np.stack([_picture(p, pixels) for p in some]))


def _picture(path: Path, pixels: int) -> NDArray[np.uint8]:
    try:
        with Image.open(path, formats=_FORMATS) as picture:
            # The size stands in the file's first bytes: nothing large is ever decoded.
            if picture.width * picture.height != pixels:
                raise PipelineError(_wrong_size(path, (picture.height, picture.width), pixels))
            return _grey(picture, path).reshape(-1)
    except UnidentifiedImageError as error:
        raise PipelineError(f"{path} is not a PNG or JPEG picture, or is damaged") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise PipelineError(f"{path} is damaged: {error}. Get the picture again") from error


def _grey(picture: Image.Image, path: Path) -> NDArray[np.uint8]:
    if picture.mode in _GREY:
        return np.asarray(picture.convert("L"))
    if picture.mode == "RGB":
        channels = np.asarray(picture)
        # Many programs write grey pictures in three equal channels.
        if (channels == channels[..., :1]).all():
            first: NDArray[np.uint8] = channels[..., 0]
            return first
    raise PipelineError(
        f"{path} is not grey: its mode is {picture.mode}. Convert it first, with "
        "`Image.open(...).convert('L')` of Pillow for one"
    )


def _read_npy(path: Path) -> NDArray[np.uint8]:
    try:
        return npy.read(path)
    except ValueError as error:
        raise PipelineError(
            f"{path} is not a .npy file of uint8, 0 to 255, as images are: {error}"
        ) from error


def _array(array: NDArray[np.uint8], path: Path, pixels: int) -> Iterator[Images]:
    # The array holds one image, images of height and width, or images of pixels in a row.
    if array.ndim == 2 and array.size == pixels:
        array = array.reshape(1, -1)
    if array.ndim not in (2, 3) or math.prod(array.shape[1:]) != pixels:
        raise PipelineError(_wrong_size(path, array.shape, pixels))
    if len(array) == 0:
        raise PipelineError(f"{path} has no images")
    for start in range(0, len(array), CHUNK):
        chunk = np.ascontiguousarray(array[start : start + CHUNK]).reshape(-1, pixels)
        yield Images([f"{path}[{start + i}]" for i in range(len(chunk))], chunk)


def _wrong_size(path: Path, shape: tuple[int, ...], pixels: int) -> str:
    side = math.isqrt(pixels)
    expected = f"{side} x {side} pixels" if side * side == pixels else f"{pixels} pixels"
    return (
        f"{path} is {' x '.join(map(str, shape))}; the model takes images of {expected}. Scale "
        "them as its training images were, or take another model"
    )
