"""Where a dataset can come from, tried in order: a local folder, torchvision, Debian."""

import errno
import io
import shutil
import socket
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np

from pipeline.common.errors import PipelineError
from pipeline.config.params import DataParams
from pipeline.fetch import raw

# Files put here by hand are found without a key in params.yaml, and verified.
LOCAL_FOLDER = Path("raw")
DEBIAN_PACKAGE = "dataset-fashion-mnist"
DEBIAN_FOLDER = "usr/share/datasets/fashion-mnist"
# The whole package unpacks to 31 MB.
MAX_UNPACKED = 1 << 26
CONNECT_SECONDS = 20
# Torchvision and the libraries under it raise these when a download fails or breaks off.
_DOWNLOAD_ERRORS = (OSError, RuntimeError, ValueError, EOFError, HTTPException, zlib.error)
DOWNLOAD_SECONDS = 600
# A disk gives these errors when it is full, or as full as this user may make it.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def find(params: DataParams, report: Callable[[str], None]) -> raw.RawDataset:
    """Return the dataset that `params` names, from the first source that has it.

    Args:
        params: the section `data` of params.yaml.
        report: called with a line about each step.

    Raises:
        PipelineError: no source has it (what was tried, and what to do), or a file is not
            what it should be.
    """
    names = tuple(params.class_names) if params.class_names is not None else None
    if params.source not in ("auto", "torchvision", "debian"):
        report(f"reading {params.source}")
        return raw.read_folder(Path(params.source), checksums=None, class_names=names)
    if names is not None:
        raise PipelineError(
            "params.yaml: data.class_names goes with a folder as data.source; "
            f"{params.dataset} has its own names"
        )
    if params.source == "auto" and params.dataset == "fashion-mnist" and LOCAL_FOLDER.is_dir():
        report(f"reading {LOCAL_FOLDER}/")
        return _fashion_mnist(LOCAL_FOLDER)

    failures = []
    for name, load in _remote_sources(params, report).items():
        report(f"trying {name}")
        try:
            with tempfile.TemporaryDirectory() as folder:
                return load(Path(folder))
        except _UnreachableError as error:
            report(f"  {error}")
            failures.append(f"  {name}: {error}")
        except OSError as error:
            if not _lacks_room(error):
                raise
            raise PipelineError(
                f"cannot download {params.dataset} to {tempfile.gettempdir()}: {error.strerror}. "
                "Free space there, or let TMPDIR name a folder that has some, then run the "
                "command again."
            ) from error
    raise PipelineError(
        f"no source of {params.dataset} could be reached:\n" + "\n".join(failures) + "\n"
        "Connect to the internet, or download the four IDX files elsewhere and put them in "
        f"{LOCAL_FOLDER}/ (Fashion-MNIST), or name their folder as data.source in params.yaml."
    )


class _UnreachableError(Exception):
    """A source that cannot be used here: the next one is tried."""


def _remote_sources(
    params: DataParams, report: Callable[[str], None]
) -> dict[str, Callable[[Path], raw.RawDataset]]:
    sources: dict[str, Callable[[Path], raw.RawDataset]] = {}
    if params.source in ("auto", "torchvision"):
        sources["torchvision's download"] = lambda folder: _torchvision(params.dataset, folder)
    if params.source in ("auto", "debian") and params.dataset == "fashion-mnist":
        sources[f"the Debian package {DEBIAN_PACKAGE}"] = lambda folder: _debian(folder, report)
    if not sources:
        raise PipelineError(
            f"params.yaml: data.source debian has fashion-mnist only, not {params.dataset}"
        )
    return sources


def _fashion_mnist(folder: Path) -> raw.RawDataset:
    return raw.read_folder(
        folder, checksums=raw.FASHION_MNIST_SHA256, class_names=raw.FASHION_MNIST_CLASSES
    )


def _torchvision(dataset: str, folder: Path) -> raw.RawDataset:
    # This import is heavy, and the other sources do without it.
    from torchvision import datasets

    family, _, split = dataset.partition("-")
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_SECONDS)
    try:
        if dataset == "fashion-mnist":
            datasets.FashionMNIST(folder, download=True)
            return _fashion_mnist(folder / "FashionMNIST" / "raw")
        options = {"split": split} if family == "emnist" else {}
        cls = getattr(datasets, family.upper())
        parts = {
            part: cls(folder, train=part == "train", download=True, **options)
            for part in ("train", "test")
        }
    except _DOWNLOAD_ERRORS as error:
        if _lacks_room(error):
            raise
        raise _UnreachableError(f"not reachable ({_one_line(error)})") from error
    finally:
        socket.setdefaulttimeout(timeout)

    arrays = {}
    first_label = int(parts["train"].targets.min())
    for part, loaded in parts.items():
        images = loaded.data.numpy()
        # EMNIST's files hold every image transposed.
        arrays[f"{part}-images"] = images.transpose(0, 2, 1) if family == "emnist" else images
        # EMNIST's letters count from 1, with an unused class in front.
        arrays[f"{part}-labels"] = (loaded.targets.numpy() - first_label).astype(np.uint8)
    names = tuple(str(name) for name in parts["train"].classes[first_label:])
    return raw.assemble(arrays, names, f"torchvision's {dataset}")


def _debian(folder: Path, report: Callable[[str], None]) -> raw.RawDataset:
    """Unpack the package without root, and without touching the system's package lists."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise _UnreachableError(f"{tool} is not on this machine")
    report("  downloading the package, 31 MB")
    try:
        _run(["apt-get", "download", DEBIAN_PACKAGE], folder)
    except _UnreachableError:
        # This machine's package lists are empty or old: fetch fresh ones, for us alone.
        lists, cache = folder / "lists", folder / "cache"
        for path in (lists, cache):
            (path / "partial").mkdir(parents=True)
        private = ["-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={cache}"]
        report("  not in this machine's package lists: fetching fresh ones")
        _run(["apt-get", *private, "update"], folder)
        _run(["apt-get", *private, "download", DEBIAN_PACKAGE], folder)
    report("  unpacking and verifying")
    files = folder / "files"
    files.mkdir()
    _unpack(next(folder.glob("*.deb")), files)
    return _fashion_mnist(files)


def _unpack(package: Path, folder: Path) -> None:
    """Write the package's four files into `folder`, and nothing else anywhere.

    dpkg-deb would write all that the package has, wherever its links lead and whatever it takes.

    Raises:
        _UnreachableError: it is no package, or not of the files that are looked for.
    """
    command = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        try:
            with tarfile.open(fileobj=_Bounded(process.stdout), mode="r|") as archive:
                for member in archive:
                    _write_member(archive, member, folder)
        except (tarfile.TarError, EOFError) as error:
            raise _UnreachableError(f"{package.name} is damaged ({_one_line(error)})") from error
        finally:
            process.kill()


class _Bounded(io.RawIOBase):
    """A stream that ends in an error where it is longer than the package is."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._left = stream, MAX_UNPACKED

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, fewer at the end."""
        content = self._stream.read(size)
        self._left -= len(content)
        if self._left < 0:
            raise _UnreachableError(f"{DEBIAN_PACKAGE} unpacks to more than {MAX_UNPACKED} bytes")
        return content


def _write_member(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(member.name)
    wanted = str(path.parent) == DEBIAN_FOLDER and path.name.endswith("-ubyte.gz")
    # Only a file's own bytes are written: a link would be read wherever it leads.
    if not wanted or member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
        return
    content = archive.extractfile(member)
    assert content is not None
    with (folder / path.name).open("wb") as file:
        shutil.copyfileobj(content, file)


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(
            command,
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or error.stdout).strip().splitlines()
        raise _UnreachableError(
            f"`{' '.join(command[:1] + command[-2:])}` failed ({reason[-1] if reason else ''})"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise _UnreachableError(f"no answer within {DOWNLOAD_SECONDS} seconds") from error


def _lacks_room(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in _NO_ROOM


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
