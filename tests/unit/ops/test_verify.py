"""A reader's run against the committed one."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from pipeline.common.errors import PipelineError
from pipeline.ops.verify import verify

MODEL = Path("models/mlp-8-deterministic-1.safetensors")
ACCURACY = Path("reports/tables/accuracy.csv")
OTHER = Path("reports/tables/runs.csv")


def git(*arguments: str) -> None:
    options = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", *options, *arguments], check=True, capture_output=True)


@pytest.fixture(autouse=True)
def _committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter a clone in a folder of a repository, with results."""
    folder = tmp_path / "project"
    for path, content in {
        MODEL: "bits",
        ACCURACY: "architecture,method,test_accuracy\nmlp-8,float,89.4\nmlp-8,deterministic,87\n",
        OTHER: "architecture,seed\nmlp-8,1\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    monkeypatch.chdir(folder)
    digest = hashlib.md5(b"bits").hexdigest()
    stages = {
        "train-packed@mlp-8-deterministic-1": {"outs": [{"path": str(MODEL), "md5": digest}]},
        "train-torch@mlp-8-float-1": {"outs": [{"path": "models/float.safetensors", "md5": "0"}]},
    }
    Path("dvc.lock").write_text(json.dumps({"stages": stages}))
    git("init", "--quiet", "..")
    git("add", "--all")
    git("commit", "--quiet", "--message", "results")


def test_the_same_results_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify("HEAD")
    said = capsys.readouterr().out
    assert f"as committed  {MODEL}, byte for byte" in said
    assert "mlp-8 float: test accuracy 89.40 %, committed 89.40 %, 0.00 points apart" in said
    assert f"as committed  {OTHER}, the same columns" in said
    assert "5 of 5 are as committed at HEAD" in said


@pytest.mark.parametrize(
    ("path", "content", "text"),
    [
        (MODEL, "bits!", f"{MODEL}, other bytes"),
        (MODEL, None, f"{MODEL} is missing"),
        (
            ACCURACY,
            "architecture,method,test_accuracy\nmlp-8,float,88.8\nmlp-8,deterministic,87\n",
            "mlp-8 float: test accuracy 88.80 %, committed 89.40 %, 0.60 points apart",
        ),
        (
            ACCURACY,
            "architecture,method,test_accuracy\nmlp-8,float,89.8\nmlp-8,deterministic,87.1\n",
            "committed 87.00 %, 0.10 points apart (at most 0)",
        ),
        (
            ACCURACY,
            "architecture,method,test_accuracy\nmlp-8,float,89.4\nmlp-8,deterministic,\n",
            "mlp-8 deterministic: reports/tables/accuracy.csv has no test accuracy",
        ),
        (
            ACCURACY,
            "architecture,method,test_accuracy\nmlp-8,float,89.4\n",
            "mlp-8 deterministic: no accuracy here",
        ),
        (OTHER, "architecture\nmlp-8\n", f"{OTHER}, other columns"),
        (OTHER, None, f"{OTHER} is missing"),
    ],
)
def test_what_differs_is_said(
    path: Path, content: str | None, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert not verify("HEAD")
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line.startswith("DIFFERS")] == [
        line for line in said.splitlines() if text in line
    ]
    assert text in said
    assert "4 of 5 are as committed at HEAD, 1 are not" in said


def test_without_a_commit_to_compare_with_the_message_says_so() -> None:
    with pytest.raises(PipelineError, match="no committed results to compare with"):
        verify("nonsense")
    git("rm", "--quiet", "--cached", "dvc.lock")
    git("commit", "--quiet", "--message", "no lock")
    with pytest.raises(PipelineError, match="no committed results to compare with"):
        verify("HEAD")


def test_a_lock_that_is_none_is_refused() -> None:
    Path("dvc.lock").write_text("stages: [")
    git("commit", "--quiet", "--all", "--message", "damaged")
    with pytest.raises(PipelineError, match="is not DVC's"):
        verify("HEAD")


def test_nothing_to_compare_with_is_no_agreement() -> None:
    ACCURACY.write_text("architecture,method,test_accuracy\n")
    git("commit", "--quiet", "--all", "--message", "no accuracies")
    with pytest.raises(PipelineError, match=r"accuracy\.csv at HEAD is empty"):
        verify("HEAD")
    Path("dvc.lock").write_text('{"stages": {}}')
    git("commit", "--quiet", "--all", "--message", "no models")
    with pytest.raises(PipelineError, match="no model trained in bits"):
        verify("HEAD")
