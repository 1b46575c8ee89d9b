"""Images of a user's own, from everything that they are kept in."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.common.errors import PipelineError
from pipeline.inference import images as module
from pipeline.inference.images import read_images
from tests.conftest import to_idx

SIDE = 6
PIXELS = SIDE * SIDE
PICTURES = np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE), dtype=np.uint8)


def read(*paths: Path) -> tuple[list[str], np.ndarray]:
    found = list(read_images(paths, PIXELS))
    return [s for some in found for s in some.sources], np.concatenate([i.pixels for i in found])


def save(picture: np.ndarray, path: Path, mode: str = "L") -> Path:
    Image.fromarray(picture).convert(mode).save(path)
    return path


def test_a_picture(tmp_path: Path) -> None:
    path = save(PICTURES[0], tmp_path / "a.PNG")
    sources, pixels = read(path)
    assert sources == [str(path)]
    np.testing.assert_array_equal(pixels, PICTURES[:1].reshape(1, -1))


def test_a_grey_picture_in_three_channels(tmp_path: Path) -> None:
    _, pixels = read(save(PICTURES[0], tmp_path / "a.png", "RGB"))
    np.testing.assert_array_equal(pixels, PICTURES[:1].reshape(1, -1))


def test_black_and_white(tmp_path: Path) -> None:
    _, pixels = read(save(np.full((SIDE, SIDE), 255, np.uint8), tmp_path / "a.png", "1"))
    assert (pixels == 255).all()


def test_a_jpeg_is_near_enough(tmp_path: Path) -> None:
    flat = np.full((SIDE, SIDE), 100, np.uint8)
    _, pixels = read(save(flat, tmp_path / "a.jpeg"))
    assert np.abs(pixels.astype(int) - 100).max() <= 2


def test_a_folder_in_order_of_names(tmp_path: Path) -> None:
    for name, picture in zip("cab", PICTURES, strict=False):
        save(picture, tmp_path / f"{name}.png")
    (tmp_path / ".hidden.png").write_text("")
    (tmp_path / "notes.txt").write_text("")
    sources, pixels = read(tmp_path)
    assert [Path(source).name for source in sources] == ["a.png", "b.png", "c.png"]
    np.testing.assert_array_equal(pixels, PICTURES[[1, 2, 0]].reshape(3, -1))


@pytest.mark.parametrize("compress", [False, True])
def test_idx(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "images-idx3-ubyte"
    content = to_idx(PICTURES)
    path.write_bytes(gzip.compress(content) if compress else content)
    sources, pixels = read(path)
    assert sources[4] == f"{path}[4]"
    np.testing.assert_array_equal(pixels, PICTURES.reshape(5, -1))


@pytest.mark.parametrize("shape", [(5, SIDE, SIDE), (5, PIXELS)])
def test_npy(tmp_path: Path, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    np.save(tmp_path / "a.npy", PICTURES.reshape(shape))
    sources, pixels = read(tmp_path / "a.npy")
    assert [source[-3:] for source in sources] == ["[0]", "[1]", "[2]", "[3]", "[4]"]
    np.testing.assert_array_equal(pixels, PICTURES.reshape(5, -1))


def test_one_image_as_npy_and_several_paths(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", PICTURES[3])
    picture = save(PICTURES[1], tmp_path / "b.png")
    _, pixels = read(tmp_path / "a.npy", picture)
    np.testing.assert_array_equal(pixels, PICTURES[[3, 1]].reshape(2, -1))


def npy(array: np.ndarray) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        np.save(folder / "a.npy", array, allow_pickle=True)
        return folder / "a.npy"

    return write


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def cut(folder: Path) -> Path:
    path = save(PICTURES[0], folder / "a.png")
    path.write_bytes(path.read_bytes()[:-30])
    return path


def renamed(form: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "a.png"
        Image.fromarray(PICTURES[0]).save(path, form)
        return path

    return write


COLOURED = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "nothing.png", "cannot read .*nothing.png: No such file"),
        (lambda folder: folder / "nothing.npy", "cannot read .*nothing.npy: No such file"),
        (lambda folder: folder / "nothing", "cannot read .*nothing: No such file"),
        (lambda folder: folder, "has no pictures"),
        (lambda folder: save(PICTURES[0][:, :5], folder / "a.png"), "is 6 x 5; .* 6 x 6 pixels"),
        (lambda folder: save(COLOURED, folder / "a.png", "RGB"), "is not grey: its mode is RGB"),
        (lambda folder: save(PICTURES[0], folder / "a.png", "RGBA"), "its mode is RGBA"),
        (written("a.png", b""), "is not a PNG or JPEG picture"),
        (written("a.jpg", b"\xff\xd8\xff"), "a.jpg"),
        (renamed("TIFF"), "is not a PNG or JPEG picture"),
        (renamed("BMP"), "is not a PNG or JPEG picture"),
        (renamed("EPS"), "is not a PNG or JPEG picture"),
        (cut, "a.png is damaged"),
        (written("a.npy", b"no array"), "is not a .npy file .*: NumPy cannot read its header"),
        (written("a.npy", b""), "is not a .npy file"),
        (npy(np.array([{}, None])), "it holds object"),
        (npy(PICTURES / 255), "is not a .npy file of uint8, .*: it holds float64"),
        (npy(PICTURES[:, :5]), "is 5 x 5 x 6; .* 6 x 6 pixels"),
        (npy(PICTURES[:0]), "has no images"),
        (npy(np.array(3, np.uint8)), "6 x 6 pixels"),
        (written("a.idx", b"no idx"), "is not an IDX file"),
    ],
)
def test_what_is_no_image_is_one_message(
    tmp_path: Path, make: Callable[[Path], Path], message: str
) -> None:
    with pytest.raises(PipelineError, match=message):
        read(make(tmp_path))


def test_a_picture_too_large_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(PipelineError, match=r"large\.png"):
        read(path)
