"""SHA-256, in hexadecimal, of bytes and of files."""

import hashlib
from pathlib import Path


def sha256_bytes(content: bytes | memoryview) -> str:
    """Return the SHA-256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of the file, read piece by piece.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
