import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

WHOLE = Path("whole.lock")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a copy of `dvc_project`, which its first use makes."""
    return tmp_path_factory.mktemp("dvc") / "project"


@pytest.fixture
def dvc_project(
    project: Path,
    kept: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Enter a DVC project of two stages that have run."""
    # What DVC keeps elsewhere of each project would stay.
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path_factory.mktemp("site")))
    if kept.exists():
        shutil.copytree(kept, project, dirs_exist_ok=True)
        return project
    Path("dvc.yaml").write_text(
        "stages:\n"
        "  one:\n"
        "    cmd: echo x >> runs.txt; cp params.yaml one.txt\n"
        "    deps: [params.yaml]\n"
        "    outs: [one.txt]\n"
        "  two: {cmd: echo x >> runs.txt; cp one.txt two.txt, deps: [one.txt], outs: [two.txt]}\n"
    )
    assert run("dvc", "init", "--no-scm").returncode == 0
    assert run("dvc", "repro").returncode == 0
    Path("dvc.lock").rename(WHOLE)
    shutil.copytree(project, kept)
    return project


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_dvc_goes_on_after_recover_and_runs_nothing_again(dvc_project: Path) -> None:
    whole = WHOLE.read_bytes()
    # Empty, and cut within a key.
    for size in (0, whole.rindex(b"hash") + 2):
        Path("dvc.lock").write_bytes(whole[:size])
        assert "dvc.lock" in run("dvc", "repro").stderr
        recovered = run("pipeline", "recover")
        assert recovered.returncode == 0, recovered.stderr
        assert "dvc.lock was half-written: it is dvc.lock.damaged now" in recovered.stdout
        assert run("dvc", "repro").returncode == 0
        assert Path("dvc.lock").read_bytes() == whole
    assert Path("runs.txt").read_text() == "x\nx\n"


def test_the_lock_of_a_pipeline_in_a_folder_goes_as_well(dvc_project: Path) -> None:
    WHOLE.rename("dvc.lock")
    before = Path("dvc.lock").read_bytes()
    Path("ablation").mkdir()
    Path("ablation/dvc.lock").write_text("stages: [")
    Path("ablation/dvc.yaml").write_text("stages: {}")
    assert run("dvc", "repro").returncode != 0
    recovered = run("pipeline", "recover")
    assert "ablation/dvc.lock was half-written: it is dvc.lock.damaged now" in recovered.stdout
    assert run("dvc", "repro").returncode == 0
    assert Path("dvc.lock").read_bytes() == before


@contextmanager
def waiting(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that waits for its standard input, and end it."""
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def script(name: str) -> Path:
    """Write a program that waits."""
    path = Path(name).absolute()
    path.parent.mkdir()
    path.write_text("import sys\nsys.stdin.read()\n")
    return path


def users(number: int) -> str:
    """Return DVC's note that the process of this number writes one.txt."""
    path = str(Path("one.txt").absolute())
    return json.dumps({"write": {path: {"pid": number, "cmd": "dvc repro"}}, "read": {}})


def test_a_list_of_locks_that_a_killed_dvc_left_goes(dvc_project: Path) -> None:
    rwlock = Path(".dvc/tmp/rwlock")
    # As a process whose path or arguments have the name.
    program = script("dvc-demo/wait")
    with waiting(sys.executable, str(program), "dvc", "my-dvc") as other:
        # Half-written, of another form, and with a number that another process has got.
        for content in ('{"wri', "[]", users(other.pid)):
            rwlock.write_text(content)
            assert run("dvc", "repro", "--force").returncode != 0
            recovered = run("pipeline", "recover")
            assert "rwlock was left by a killed DVC: it is removed" in recovered.stdout
            assert run("dvc", "repro", "--force").returncode == 0


@pytest.mark.parametrize("as_module", [False, True])
def test_the_locks_of_a_running_dvc_stay(
    dvc_project: Path, monkeypatch: pytest.MonkeyPatch, as_module: bool
) -> None:
    program = script("programs/dvc.py" if as_module else "programs/dvc")
    monkeypatch.chdir(program.parent)
    started = ["-u", "-m", "dvc"] if as_module else [str(program)]
    with waiting(sys.executable, *started) as other:
        monkeypatch.chdir(dvc_project)
        Path(".dvc/tmp/rwlock").write_text(users(other.pid))
        recovered = run("pipeline", "recover")
    assert recovered.returncode == 1
    assert "DVC is at work here: wait until it has ended (process " in recovered.stderr
    assert str(other.pid) in Path(".dvc/tmp/rwlock").read_text()


def test_what_is_whole_stays(dvc_project: Path) -> None:
    WHOLE.rename("dvc.lock")
    before = Path("dvc.lock").read_bytes(), Path(".dvc/tmp/rwlock").read_bytes()
    recovered = run("pipeline", "recover")
    assert (recovered.returncode, recovered.stdout) == (0, "")
    assert (Path("dvc.lock").read_bytes(), Path(".dvc/tmp/rwlock").read_bytes()) == before


def test_a_dvc_at_work_is_left_alone(dvc_project: Path) -> None:
    Path("dvc.lock").write_text("")
    with Path(".dvc/tmp/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        recovered = run("pipeline", "recover")
    assert (recovered.returncode, recovered.stdout) == (1, "")
    assert recovered.stderr == "error: DVC is at work here: wait until it has ended\n"
    assert Path("dvc.lock").exists()


def test_a_damaged_file_of_the_cache_is_not_handed_out(dvc_project: Path) -> None:
    WHOLE.rename("dvc.lock")
    right = Path("one.txt").read_bytes()
    for entry in Path(".dvc/cache/files/md5").glob("*/*"):
        content = bytearray(entry.read_bytes())
        content[0] ^= 1
        # As a damaged disk: no date, no size and no mode tells.
        status = entry.stat()
        entry.chmod(0o644)
        entry.write_bytes(content)
        entry.chmod(status.st_mode)
        os.utime(entry, ns=(status.st_atime_ns, status.st_mtime_ns))
    Path("one.txt").unlink()
    assert run("dvc", "checkout").returncode == 0
    assert Path("one.txt").read_bytes() != right
    assert "up to date" in run("dvc", "repro").stdout
    recovered = run("pipeline", "recover")
    assert (recovered.returncode, recovered.stderr) == (0, "")
    assert "was damaged: it is removed from DVC's cache. Run `dvc repro`" in recovered.stdout
    assert run("dvc", "repro").returncode == 0
    assert Path("one.txt").read_bytes() == Path("two.txt").read_bytes() == right
    assert run("pipeline", "recover").stdout == ""


def test_elsewhere_it_says_so(project: Path) -> None:
    recovered = run("pipeline", "recover")
    assert recovered.returncode == 1
    assert "this is not a DVC project" in recovered.stderr
