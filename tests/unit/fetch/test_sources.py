import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from numpy.typing import NDArray
from torchvision import datasets

from pipeline.common.errors import PipelineError
from pipeline.config.params import DataParams, Params
from pipeline.fetch import raw, sources
from tests.conftest import IDX_NAMES, WriteIdx, to_idx


def lines() -> list[str]:
    return []


def data_params(params: Params, **changes: object) -> DataParams:
    return params.data.model_copy(update={"class_names": None, **changes})


def test_a_folder_given_as_source(params: Params) -> None:
    dataset = sources.find(params.data, lines().append)
    assert dataset.class_names == ("low", "middle", "high")
    assert len(dataset.train_images) == 90


def test_every_source_tried_is_listed(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object) -> raw.RawDataset:
        raise sources._UnreachableError("the line is dead")

    monkeypatch.setattr(sources, "_torchvision", unreachable)
    monkeypatch.setattr(sources, "_debian", unreachable)
    reported = lines()
    with pytest.raises(PipelineError) as error:
        sources.find(data_params(params, source="auto"), reported.append)
    message = str(error.value)
    assert "torchvision's download: the line is dead" in message
    assert "Debian package dataset-fashion-mnist: the line is dead" in message
    assert "raw/" in message
    assert reported == [
        "trying torchvision's download",
        "  the line is dead",
        "trying the Debian package dataset-fashion-mnist",
        "  the line is dead",
    ]


def test_a_machine_without_debians_tools(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(PipelineError, match="apt-get is not on this machine"):
        sources.find(data_params(params, source="debian"), lines().append)


def test_debians_error_is_passed_on(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(command: list[str], **_: object) -> None:
        raise subprocess.CalledProcessError(100, command, "", "W: noise\nE: no such package")

    monkeypatch.setattr("shutil.which", lambda tool: tool)
    monkeypatch.setattr("subprocess.run", fail)
    with pytest.raises(PipelineError, match="E: no such package"):
        sources.find(data_params(params, source="debian"), lines().append)


def test_debian_has_one_dataset_only(params: Params) -> None:
    with pytest.raises(PipelineError, match="not kmnist"):
        sources.find(data_params(params, source="debian", dataset="kmnist"), lines().append)


def test_files_in_the_local_folder_are_verified(
    params: Params, project: Path, write_idx: WriteIdx
) -> None:
    write_idx(project / "raw")
    with pytest.raises(PipelineError, match=raw.FASHION_MNIST_SHA256["train-images"]):
        sources.find(data_params(params, source="auto"), lines().append)


@pytest.mark.parametrize(
    ("dataset", "folder", "prefix", "first_label"),
    [
        ("mnist", "MNIST", "", 0),
        ("kmnist", "KMNIST", "", 0),
        ("emnist-digits", "EMNIST", "emnist-digits-", 0),
        ("emnist-letters", "EMNIST", "emnist-letters-", 1),
    ],
)
def test_torchvisions_datasets(
    tmp_path: Path,
    arrays: dict[str, NDArray[np.uint8]],
    dataset: str,
    folder: str,
    prefix: str,
    first_label: int,
) -> None:
    """torchvision finds the files where it would put them, and downloads nothing."""
    path = tmp_path / folder / "raw"
    path.mkdir(parents=True)
    for role, name in IDX_NAMES.items():
        array = arrays[role]
        if prefix:
            name = prefix + name.replace("t10k", "test")
            array = array.transpose(0, 2, 1) if role.endswith("images") else array + first_label
        (path / name).write_bytes(to_idx(np.ascontiguousarray(array)))
    loaded = sources._torchvision(dataset, tmp_path)
    for role, array in (
        ("train-images", loaded.train_images),
        ("train-labels", loaded.train_labels),
        ("test-images", loaded.test_images),
        ("test-labels", loaded.test_labels),
    ):
        np.testing.assert_array_equal(array, arrays[role])
        assert array.dtype == np.uint8
    assert len(loaded.class_names) == {"emnist-letters": 26}.get(dataset, 10)
    assert "N/A" not in loaded.class_names


def test_torchvisions_fashion_mnist_is_verified(
    tmp_path: Path, arrays: dict[str, NDArray[np.uint8]]
) -> None:
    path = tmp_path / "FashionMNIST" / "raw"
    path.mkdir(parents=True)
    for role, name in IDX_NAMES.items():
        (path / name).write_bytes(to_idx(arrays[role]))
    with pytest.raises(PipelineError, match=raw.FASHION_MNIST_SHA256["train-images"]):
        sources._torchvision("fashion-mnist", tmp_path)


class Zeros(BaseHTTPRequestHandler):
    """A server of the file that is asked for, whichever it is."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        with suppress(ConnectionError):
            self.wfile.write(bytes(1_000_000))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def mirror() -> Iterator[str]:
    """The address of a server on this machine."""
    with HTTPServer(("127.0.0.1", 0), Zeros) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_full_disk_is_not_the_networks_fault(
    params: Params, mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets.MNIST, "mirrors", [mirror])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    wanted = data_params(params, source="torchvision", dataset="mnist")
    # A limit on file sizes fails as a full disk does, and needs no disk to fill.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(PipelineError) as error:
            sources.find(wanted, lines().append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    message = str(error.value)
    assert message.startswith(f"cannot download mnist to {tempfile.gettempdir()}: File too large")
    assert "TMPDIR" in message
    assert "internet" not in message


def test_class_names_need_a_folder(params: Params) -> None:
    with pytest.raises(PipelineError, match=r"data\.class_names"):
        sources.find(params.data.model_copy(update={"source": "auto"}), lines().append)
