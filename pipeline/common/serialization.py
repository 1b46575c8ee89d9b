"""YAML and JSON from wherever, as plain data: numbers, texts, lists and maps.

A file has at most `MAX_BYTES`, and YAML at most `plain_yaml.MAX_DEPTH` levels; no key comes twice.
"""

import json
from pathlib import Path
from typing import Any

# The project's own files are far smaller: params.yaml has 3 kB, dvc.lock 80 kB, the largest JSON
# file 5 kB.
MAX_BYTES = 1 << 20


def load_yaml(path: Path) -> Any:
    """Return what a YAML file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large or not plain YAML; the message says where.
    """
    return parse_yaml(_read(path))


def load_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        OSError: it cannot be read.
        ValueError: it is too large or not a JSON object.
    """
    return parse_json(_read(path))


def parse_yaml(text: str) -> Any:
    """Return what YAML 1.2 holds, as DVC reads it: 1e-3 is a number, no key is given twice.

    Raises:
        ValueError: it is not plain YAML; the message says where.
    """
    # Imported here: ruamel.yaml takes 2 MiB, and most processes read no YAML.
    from pipeline.common.plain_yaml import parse

    return parse(text)


def parse_json(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`.

    Raises:
        ValueError: there is none, it is nested too deeply, or has a key twice.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        # Python takes the last, others may take the first.
        content = dict(pairs)
        if len(content) < len(pairs):
            raise ValueError("it has a key twice")
        return content

    try:
        content = json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return content


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    return content.decode("utf-8")
