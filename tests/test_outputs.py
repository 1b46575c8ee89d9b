import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.errors import PipelineError
from pipeline.outputs import whole_directory, whole_file, write_text


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with whole_file(path) as temporary:
        temporary.write_text("content")
        assert not path.exists()
    assert path.read_text() == "content"
    assert os.listdir(path.parent) == ["file"]  # noqa: PTH208 (hidden files too)


def test_a_failed_block_changes_nothing(tmp_path: Path) -> None:
    path, folder = tmp_path / "file", tmp_path / "folder"
    write_text(path, "old")
    with whole_directory(folder) as temporary:
        (temporary / "old").write_text("old")
    with suppress(KeyboardInterrupt), whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    with suppress(KeyboardInterrupt), whole_directory(folder) as temporary:
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
        with whole_directory(tmp_path / "folder") as temporary:
            (temporary / name).touch()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["second"]


def test_a_directory_that_cannot_be_replaced_stays(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with whole_directory(folder) as temporary:
        (temporary / "old").touch()
    with pytest.raises(PipelineError, match="cannot write"), whole_directory(folder) as temporary:
        temporary.rmdir()
    assert [p.name for p in tmp_path.rglob("*")] == ["folder", "old"]


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from pipeline.outputs import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as temporary:\n"
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
        "from pipeline.errors import PipelineError\n"
        "from pipeline.outputs import write_text\n"
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
