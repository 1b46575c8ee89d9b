"""What of DVC's cache does not hold what it should.

DVC names a file of its cache after the MD5 of its content, makes it read-only, and then believes
the name: a damaged disk, or an editor that ignores the protection, goes unseen, also in the copies.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

# DVC appends this to the name of a folder's list of files.
_FOLDER = ".dir"
_DIGITS = 2 * hashlib.md5(usedforsecurity=False).digest_size


def damaged_entries(files: Path) -> Iterator[Path]:
    """Yield every file of the cache that does not hold what its name says.

    Args:
        files: DVC's folder cache/files/md5.

    Raises:
        OSError: one cannot be read.
    """
    for path in sorted(files.glob("[0-9a-f][0-9a-f]/*")):
        expected = path.parent.name + path.name.removesuffix(_FOLDER)
        # DVC was writing files of other names when it was killed.
        if len(expected) != _DIGITS:
            continue
        with path.open("rb") as file:
            if hashlib.file_digest(file, "md5").hexdigest() != expected:
                yield path


def look_anew(outputs: Path) -> None:
    """Give the file, or every file of the folder, a new date, lest DVC go by what it remembers.

    Raises:
        OSError: one cannot be changed.
    """
    for path in (outputs, *outputs.rglob("*")):
        if path.is_file():
            path.touch()
