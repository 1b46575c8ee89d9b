import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.common.atomic import atomic_directory, atomic_file, write_text
from pipeline.common.errors import PipelineError


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with atomic_file(path) as temporary:
        temporary.write_text("content")
        assert not path.exists()
    assert path.read_text() == "content"
    assert os.listdir(path.parent) == ["file"]  # noqa: PTH208 (hidden files too)


def test_a_failed_block_changes_nothing(tmp_path: Path) -> None:
    path, folder = tmp_path / "file", tmp_path / "folder"
    write_text(path, "old")
    with atomic_directory(folder) as temporary:
        (temporary / "old").write_text("old")
    with suppress(KeyboardInterrupt), atomic_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    with suppress(KeyboardInterrupt), atomic_directory(folder) as temporary:
        (temporary / "new").write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")) == [
        "file",
        "folder",
        "folder/old",
    ]


def test_a_directory_is_replaced_whole(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with atomic_directory(tmp_path / "folder") as temporary:
            (temporary / name).touch()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["second"]


def test_a_directory_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with atomic_directory(folder) as temporary:
        (temporary / "old").touch()
    with pytest.raises(PipelineError, match="cannot write"), atomic_directory(folder) as temporary:
        temporary.rmdir()
    assert [p.name for p in tmp_path.rglob("*")] == ["folder", "old"]


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from pipeline.common.atomic import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "file"
    killed = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert killed.returncode == -9
    assert not path.exists()
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".file.")
    assert left.name.endswith(".partial")
    write_text(path, "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_one_clear_message(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from pipeline.common.errors import PipelineError\n"
        "from pipeline.common.atomic import write_text\n"
        "try:\n    write_text(Path(sys.argv[1]), 'x' * 100_000)\n"
        "except PipelineError as error:\n    print(error)\n"
    )
    # A limit on file sizes fails as a full disk does, and needs no disk to fill.
    command = ["sh", "-c", 'ulimit -f 1; exec "$@"', "sh", sys.executable, "-c", program]
    path = tmp_path / "file"
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    assert f"cannot write {path}" in done.stdout
    assert "free space" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PipelineError, match="cannot write"):
        write_text(tmp_path / "file" / "inside", "text")


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(Path("folder") / "target")
    write_text(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    target.unlink()
    write_text(link, "newer")
    assert target.read_text() == "newer"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["folder", "link", "target"]


def test_a_link_to_itself_is_one_message(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(PipelineError, match=f"cannot write {link}: "):
        write_text(link, "text")
    assert link.is_symlink()


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_gets_the_text_and_stays_a_pipe(tmp_path: Path, linked: bool) -> None:
    pipe = path = tmp_path / "pipe"
    os.mkfifo(pipe)
    if linked:
        path = tmp_path / "link"
        path.symlink_to(pipe)
    # Open at both ends, so that neither waits for the other.
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(path, "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert path.is_symlink() == linked


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(PipelineError, match="it is not a file"), atomic_file(path):
        pass
    assert path.is_fifo()


@pytest.mark.parametrize("piped", [False, True])
def test_what_standard_output_is_already_is_written_on(tmp_path: Path, piped: bool) -> None:
    """As `--output /dev/stdout` does, by a link of our own: the real one is root's to lose."""
    link, file = tmp_path / "stdout", tmp_path / "file"
    link.symlink_to("/proc/self/fd/1")
    program = (
        "import sys; from pathlib import Path\n"
        "from pipeline.common.atomic import write_text\n"
        "print('before')\n"
        "write_text(Path(sys.argv[1]), 'text\\n')\n"
        "print('after')\n"
    )
    command = [sys.executable, "-c", program, str(link)]
    if piped:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    else:
        with file.open("w") as stream:
            subprocess.run(command, stdout=stream, check=True)
        text = file.read_text()
    assert text == "before\ntext\nafter\n"
    assert link.is_symlink()
