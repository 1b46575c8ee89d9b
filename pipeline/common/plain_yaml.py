"""YAML as plain data: numbers, texts, lists and maps. `serialization` is the way in."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError, MaxDepthExceededError
from ruamel.yaml.error import YAMLError

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


def parse(text: str) -> Any:
    """Return what YAML 1.2 holds: see `serialization.parse_yaml`.

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
