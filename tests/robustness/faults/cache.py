"""A damaged file in DVC's cache, of which DVC itself sees nothing."""

import hashlib
import os
from collections.abc import Iterator

from tests.robustness.faults.project import MODEL, RUN, Project, message
from tests.robustness.faults.report import Result
from tests.robustness.kill.attempt import repro
from tests.robustness.kill.run import FindingError


def damaged_cache(project: Project) -> Iterator[Result]:
    """Change a byte of a model in the cache, as a damaged disk does; let DVC hand it out."""
    model = project.folder / MODEL
    right = model.read_bytes()
    # DVC names a file in it after its checksum.
    checksum = hashlib.md5(right, usedforsecurity=False).hexdigest()
    entry = project.folder / ".dvc/cache/files/md5" / checksum[:2] / checksum[2:]
    status = entry.stat()
    entry.chmod(0o644)
    entry.write_bytes(right[:-1] + bytes([right[-1] ^ 1]))
    entry.chmod(status.st_mode)
    os.utime(entry, ns=(status.st_atime_ns, status.st_mtime_ns))
    model.unlink()
    checked_out = project.run("dvc", "checkout")
    if checked_out.returncode != 0 or model.read_bytes() == right:
        raise FindingError(f"DVC noticed:\n{checked_out.stdout}{checked_out.stderr}")
    done = project.pipeline("aggregate")
    said = message(done.returncode, done.stderr, f"{MODEL} and runs/{RUN} are of different runs")
    yield Result("damaged cache, handed out by dvc checkout: aggregate", said, "")
    recovered = project.pipeline("recover")
    # It says what it mended, and that is no failure.
    said = message(1, recovered.stdout, "was damaged: it is removed")
    again = repro(project.folder)
    if again.status != 0 or again.output.count("Running stage 'train") != 1:
        raise FindingError(f"after recover:\n{again.output}")
    yield Result(
        "damaged cache: recover, then dvc repro",
        said,
        f"{project.check_kept()}, one network trained again",
    )
