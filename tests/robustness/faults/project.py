"""The short copy of the project that faults are provoked in, and what is asked of it."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from tests.robustness.kill import project
from tests.robustness.kill.outputs import FOLDERS, fingerprints
from tests.robustness.kill.run import FindingError, forget

RUN = "mlp-128-deterministic-1"
STAGE = f"train-packed@{RUN}"
MODEL = Path("models") / f"{RUN}.safetensors"
TRAIN = ("train", "--architecture", "mlp-128", "--method", "deterministic", "--seed", "1")
TRAIN_FLOAT = ("train", "--architecture", "mlp-128", "--method", "float", "--seed", "1")


@dataclass
class Project:
    """A copy of the project.

    Attributes:
        folder: where it is.
        expected: the fingerprints of its outputs when nothing had disturbed it.
    """

    folder: Path
    expected: dict[str, str] = field(default_factory=dict)

    def make(self) -> None:
        """Fill the folder, with two methods and few rounds."""
        project.make(self.folder)
        path = self.folder / "params.yaml"
        yaml = YAML()
        params = yaml.load(path)
        methods = params["methods"]
        methods["torch"] = {"float": {**methods["torch"]["float"], "epochs": 2}}
        methods["packed"] = {"deterministic": methods["packed"]["deterministic"]}
        params["inference"]["passes_method"] = "deterministic"
        params["profile"]["scaling"]["methods"] = ["float", "deterministic"]
        params["benchmark"]["rounds"] = 1
        yaml.dump(params, path)

    def pipeline(
        self, *arguments: str, limit: int | None = None, environment: Mapping[str, str] = os.environ
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m pipeline`, with at most `limit` bytes of address space."""
        command = ["python", "-m", "pipeline", *arguments]
        if limit is not None:
            command = ["sh", "-c", f'ulimit -v {limit // 1024}; exec "$@"', "sh", *command]
        return self.run(*command, environment=environment)

    def run(
        self, *command: str, environment: Mapping[str, str] = os.environ
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project."""
        return subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**environment, "DVC_SITE_CACHE_DIR": str(self.folder.parent / "site")},
        )

    def forget(self) -> None:
        """Delete all results and all that DVC knows of them."""
        forget(self.folder)

    def check_kept(self, *tops: str) -> str:
        """Return in words that the outputs there, in the folders `tops`, are those expected.

        Raises:
            FindingError: one is not, or something half-written was left.
        """
        try:
            found = fingerprints(self.folder, tops or FOLDERS)
        except AssertionError as error:
            raise FindingError(f"not whole: {error}") from error
        if names := [name for name, value in found.items() if self.expected.get(name) != value]:
            raise FindingError(f"other than undisturbed: {', '.join(names)}")
        if left := list(self.folder.rglob("*.partial")):
            raise FindingError(f"left behind: {', '.join(map(str, left))}")
        return f"{len(found)} files as before"


def message(status: int, text: str, *expected: str) -> str:
    """Return the line of `text` that has one of the expected words.

    Raises:
        FindingError: there is none, or the status is 0, or Python printed where it was.
    """
    lines = [line.strip() for line in text.splitlines()]
    for line in lines if status != 0 and "Traceback" not in text else ():
        if any(words in line for words in expected):
            return line
    raise FindingError(f"status {status}, none of {expected} in:\n{text}")
