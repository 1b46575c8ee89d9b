"""YAML and JSON from wherever, as plain data: numbers, texts, lists and maps.

A file has at most `MAX_BYTES`, and YAML at most `MAX_DEPTH` levels; no key comes twice.
"""

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.error import YAMLError

# The project's own files are far smaller: params.yaml has 3 kB, dvc.lock 80 kB, the largest JSON
# file 5 kB.
MAX_BYTES = 1 << 20
MAX_DEPTH = 32


class _PlainComposer(Composer):
    """Refuses what ruamel's safe loader takes or crashes on.

    Merge keys copy what an alias names, which makes a short file a huge one, and a list may hold
    itself. A tag that does not fit its value, such as `!!bool maybe`, is a KeyError.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        if event.anchor is not None:
            problem = "found an anchor or an alias (&name, *name): write the value itself"
        elif event.ctag is not None:
            problem = "found a tag (!name): leave it out"
        else:
            return super().compose_node(parent, index)
        raise ComposerError(None, None, problem, event.start_mark)


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
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _PlainComposer
    yaml.max_depth = MAX_DEPTH
    try:
        return yaml.load(text)
    except MaxDepthExceededError as error:
        raise ValueError(f"it is nested too deeply{error.problem_mark}") from None
    except YAMLError as error:
        raise ValueError(str(error)) from None


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
