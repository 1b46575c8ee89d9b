"""A model file taken apart, so that its parts can be damaged and its checksum still fit."""

import hashlib
import json
from typing import Any

from pipeline.engines.packed.model import FORMAT


class Object(list[tuple[str, Any]]):
    """A JSON object as pairs: a key may come twice."""


class Quoted:
    """A string that holds JSON."""

    def __init__(self, content: Any) -> None:
        self.content = content


class Raw(str):
    """Text that stands in the JSON as it is, valid or not."""


def emit(node: Any) -> str:
    """Return the JSON of a tree, compact as the library's."""
    if isinstance(node, Object):
        return "{" + ",".join(f"{json.dumps(key)}:{emit(value)}" for key, value in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(emit, node)) + "]"
    if isinstance(node, Quoted):
        return json.dumps(emit(node.content))
    return str(node) if isinstance(node, Raw) else json.dumps(node)


class Draft:
    """A header as a tree, and the bytes of the arrays."""

    def __init__(self, content: bytes) -> None:
        """Take a file apart.

        Raises:
            ValueError, RecursionError: its header is not JSON.
        """
        end = 8 + int.from_bytes(content[:8], "little")
        self.header = json.loads(content[8:end], object_pairs_hook=Object)
        self.arrays = bytearray(content[end:])
        for description in self._descriptions():
            description.content = json.loads(description.content, object_pairs_hook=Object)

    def content(self) -> bytes:
        """Return the file, its header's length as it should be."""
        header = emit(self.header).encode("utf-8", "surrogatepass")
        header += b" " * (-len(header) % 8)
        return len(header).to_bytes(8, "little") + header + self.arrays

    def repair_checksum(self) -> None:
        """Make the checksum fit what the header says of the arrays, as far as it says it."""
        if not isinstance(self.header, Object):
            return
        of_arrays = bytearray()
        for name, entry in sorted(dict(self.header).items(), key=lambda item: item[0]):
            match dict(entry).get("data_offsets") if isinstance(entry, Object) else None:
                case [int(begin), int(end)]:
                    of_arrays += name.encode("utf-8", "surrogatepass")
                    of_arrays += self.arrays[max(0, begin) : max(0, end)]
        for description in self._descriptions():
            if isinstance(description.content, Object):
                pairs = description.content
                keys = ("widths", "pixel_bits", "pixel_gamma", "passes")
                said = [dict(pairs).get(key) for key in keys]
                maps = dict(pairs).get("maps")
                if isinstance(maps, list) and not isinstance(maps, Object):
                    said.append([dict(x) if isinstance(x, Object) else x for x in maps])
                digest = hashlib.sha256(json.dumps(said).encode() + of_arrays).hexdigest()
                pairs[:] = [(k, digest if k == "sha256" else v) for k, v in pairs]

    def _descriptions(self) -> list[Quoted]:
        """Return the strings of JSON in the metadata."""
        metadata = dict(self.header).get("__metadata__") if isinstance(self.header, Object) else 0
        if not isinstance(metadata, Object):
            return []
        for at, (key, value) in enumerate(metadata):
            if key == FORMAT and isinstance(value, str):
                metadata[at] = (key, Quoted(value))
        return [value for _, value in metadata if isinstance(value, Quoted)]


def parsed(content: bytes) -> Draft | None:
    """Return a file taken apart, or None if its header is not JSON."""
    try:
        return Draft(content)
    except (ValueError, RecursionError):
        return None
