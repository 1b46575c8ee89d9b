"""YAML and JSON from wherever, as plain data: numbers, texts, lists and maps.

A file is bounded before it is read. YAML's aliases could make a short file a huge one, tags could
name types, and deep nesting could exhaust Python's stack: all three are refused.
"""

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    ScalarEvent,
)

from pipeline.common.errors import printable

# Of a file. params.yaml has 3 kB, dvc.lock 80 and the largest JSON 5.
MAX_BYTES = 1 << 20
MAX_DEPTH = 32


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
    try:
        content = json.loads(_read(path))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    return content


def parse_yaml(text: str) -> Any:
    """Return what YAML 1.2 holds, as DVC reads it: 1e-3 is a number, no key is given twice.

    Raises:
        ValueError: it is not plain YAML; the message says where.
    """
    try:
        _require_plain(text)
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ValueError(str(error)) from None


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    return content.decode("utf-8")


def _require_plain(text: str) -> None:
    depth = 0
    # One event after another: nothing is built before all of them are known to be harmless.
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if isinstance(event, AliasEvent):
            problem = "has an alias (*name): write the value again"
        elif isinstance(event, ScalarEvent | CollectionStartEvent) and event.tag is not None:
            problem = f"has a tag ({printable(str(event.tag))}): leave it out"
        elif depth > MAX_DEPTH:
            problem = "is nested too deeply"
        else:
            continue
        raise ValueError(f"line {event.start_mark.line + 1} {problem}")
