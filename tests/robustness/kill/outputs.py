"""What a finished pipeline left: whole, and the same as another's."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from PIL import Image
from ruamel.yaml import YAML

from pipeline.common.atomic import PARTIAL
from pipeline.common.checksum import sha256_bytes

FOLDERS = ("data", "models", "runs", "profiles", "reports")
# Those of them whose content two runs share.
SAME = ("data", "models", "runs")
# Columns of a history that no two runs share.
_TIMES = ("seconds", "cumulative_seconds")


def fingerprints(folder: Path, tops: Sequence[str] = FOLDERS) -> dict[str, str]:
    """Return every output by its path, with a checksum of what two runs must share of it.

    Of measurements and reports that is their being there and whole. `tops` are the folders of
    `folder` that are looked at.

    Raises:
        AssertionError: an output is missing or not whole; the message is its path.
    """
    found: dict[str, str] = {}
    for top in tops:
        of_top = _of(folder, top)
        assert of_top, top
        found |= of_top
    return found


def so_far(folder: Path) -> dict[str, str]:
    """Return the fingerprints of those outputs that two runs share, as far as they are there.

    What is still being written has another name, and is left out.

    Raises:
        AssertionError: an output is there and not whole; the message is its path.
    """
    found: dict[str, str] = {}
    for top in SAME:
        found |= _of(folder, top)
    return found


def leftovers(folder: Path) -> list[str]:
    """Return what should be gone: checkpoints, and what was being written."""
    found = [*folder.glob("checkpoints/*"), *folder.rglob(f"*{PARTIAL}")]
    return [str(path.relative_to(folder)) for path in found]


def _of(folder: Path, top: str) -> dict[str, str]:
    found = {}
    for path in sorted((folder / top).rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or any(part.endswith(PARTIAL) for part in name.parts):
            continue
        try:
            content = _whole(path)
        except Exception as error:
            raise AssertionError(f"{name}: {error!r}") from error
        if path.name == "history.csv":
            content = _without_times(content)
        found[str(name)] = sha256_bytes(content) if top in SAME else ""
    return found


def _whole(path: Path) -> bytes:
    content = path.read_bytes()
    assert content, "empty"
    match path.suffix:
        case ".json":
            json.loads(content)
        case ".csv":
            rows = list(csv.reader(io.StringIO(content.decode())))
            assert len({len(row) for row in rows}) == 1, "ragged"
            assert len(rows) > 1, "no rows"
        case ".png":
            with Image.open(path) as image:
                image.load()
        case ".svg":
            ElementTree.fromstring(content)
        case ".html":
            assert content.rstrip().endswith(b"</html>"), "cut short"
        case ".yaml":
            YAML(typ="safe").load(content)
    return content


def _without_times(content: bytes) -> bytes:
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    kept = [{name: text for name, text in row.items() if name not in _TIMES} for row in rows]
    return json.dumps(kept).encode()
