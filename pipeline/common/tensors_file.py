"""The safetensors container, read strictly.

The file is the header's length in 8 bytes, the header in JSON, and the arrays. The safetensors
library writes models. What it reads is more than that: a key given twice, unknown keys, arrays of
no elements; a type that NumPy lacks is an AttributeError; and since it maps the file, a file cut
short at that moment kills the process. Here, nothing that a file says of its sizes is believed
before the file's own size bears it out.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.common.errors import printable

METADATA = "__metadata__"
# 8 billion weights: what trains them has tens of GB.
MAX_BYTES = 1 << 30
# An architecture's name is part of a file's name, which leaves it some 120 layers; a layer takes
# 250 bytes here.
MAX_HEADER = 1 << 16
_LENGTH = 8
# No disk has more: what a number in a header may be. A file's own size bounds it further.
_MAX_NUMBER = 1 << 62

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Kind:
    """What a file may hold.

    Attributes:
        name: what messages call it.
        most_bytes: the size of the largest.
        most_header: the size of the largest header.
        types: of its arrays, by safetensors' names.
    """

    name: str
    most_bytes: int
    most_header: int
    types: Mapping[str, type[np.generic]]


MODEL = Kind("model", MAX_BYTES, MAX_HEADER, {"U8": np.uint8, "I32": np.int32, "F32": np.float32})


class InvalidError(Exception):
    """What is wrong with a file; `remedy` is what to do."""

    remedy = "Get the file again from where it came from, or train the model again"


def require(condition: bool, message: str) -> None:
    """Raise InvalidError unless `condition` holds."""
    if not condition:
        raise InvalidError(message)


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    dtype: str
    shape: Annotated[
        list[Annotated[int, Field(ge=1, le=_MAX_NUMBER)]], Field(min_length=1, max_length=2)
    ]
    data_offsets: Annotated[
        list[Annotated[int, Field(ge=0, le=_MAX_NUMBER)]], Field(min_length=2, max_length=2)
    ]


def read_header(file: BinaryIO, kind: Kind = MODEL) -> dict[str, object]:
    """Return the header of an open file; what is in it is not checked yet.

    Raises:
        InvalidError: the file or its header is too large, or the header is not a JSON object.
    """
    size = os.fstat(file.fileno()).st_size
    most, most_header = kind.most_bytes, kind.most_header
    require(size <= most, f"it has {size} bytes, more than any {kind.name} ({most})")
    require(size >= _LENGTH, f"it has {size} bytes, fewer than any {kind.name}: it is cut short")
    length = int.from_bytes(_read(file, _LENGTH), "little")
    require(
        length <= most_header,
        f"its header would have {length} bytes, more than any {kind.name}'s ({most_header})",
    )
    left = size - _LENGTH
    require(length <= left, f"its header would have {length} bytes of {left}: it is cut short")
    content = _read(file, length)
    # JSON in ASCII, which is all that is written, begins with the brace itself.
    require(content.isascii() and content.startswith(b"{"), "it does not begin with a header")
    return parse(content.decode("ascii"), "its header")


def read_arrays(file: BinaryIO, entries: Mapping[str, object], kind: Kind = MODEL) -> Arrays:
    """Return the arrays of an open file whose header has been read.

    Args:
        file: open where its header ends.
        entries: the header without its metadata.
        kind: that the header was read as.

    Raises:
        InvalidError: an entry is not one, or the arrays are not, one after another, the rest
            of the file.
    """
    # Nor could others be part of the checksum: JSON has halves of characters.
    for name in entries:
        require(name.isascii(), f"in its header, {printable(name)}: a name must be ASCII")
    checked = {name: _entry(name, entry, kind) for name, entry in entries.items()}
    in_order = sorted(checked.items(), key=lambda item: item[1].data_offsets)
    position = 0
    for name, entry in in_order:
        begin, end = entry.data_offsets
        require(begin == position, f"{printable(name)} overlaps another array, or leaves a gap")
        expected = math.prod(entry.shape) * np.dtype(kind.types[entry.dtype]).itemsize
        require(end - begin == expected, f"{printable(name)} has bytes for another shape")
        position = end
    left = os.fstat(file.fileno()).st_size - file.tell()
    require(position == left, f"its arrays take {position} bytes, and it has {left} for them")
    arrays: Arrays = {}
    for name, entry in in_order:
        begin, end = entry.data_offsets
        flat = np.frombuffer(_read(file, end - begin), kind.types[entry.dtype])
        arrays[name] = flat.reshape(entry.shape)
    return arrays


def write(
    file: BinaryIO,
    metadata: Mapping[str, str],
    arrays: Mapping[str, NDArray[np.generic]],
    kind: Kind,
) -> None:
    """Write what `read_header` and `read_arrays` read, and hold no second copy of the arrays.

    Args:
        file: open and empty.
        metadata: texts by name.
        arrays: of `kind.types`, of one or two dimensions, C-contiguous.
        kind: what is written.

    Raises:
        OSError: the file cannot be written or the disk is full.
    """
    names = {np.dtype(of): name for name, of in kind.types.items()}
    header: dict[str, object] = {METADATA: dict(metadata)}
    position = 0
    for name, array in arrays.items():
        end = position + array.nbytes
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [position, end],
        }
        position = end
    content = json.dumps(header).encode("ascii")
    file.write(len(content).to_bytes(_LENGTH, "little"))
    file.write(content)
    for array in arrays.values():
        file.write(array.data)


def parse(text: str, where: str) -> dict[str, object]:
    """Return the JSON object in `text`, which has no key twice.

    Raises:
        InvalidError: there is none; the message begins with `where`.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        content = dict(pairs)
        require(len(content) == len(pairs), f"{where} has a key twice")
        return content

    def whole(digits: str) -> int:
        # 0 to Python, a fraction to the library.
        require(digits != "-0", f"{where} has the number -0")
        return int(digits)

    try:
        content = json.loads(text, object_pairs_hook=unique, parse_int=whole)
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"{where} is not JSON: {error}") from None
    require(isinstance(content, dict), f"{where} is not a JSON object")
    return dict(content)


def first_error(error: ValidationError) -> str:
    """Return where and what the first error is."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{printable(where)}: {first['msg']}" if where else first["msg"]


def _entry(name: str, entry: object, kind: Kind) -> _Entry:
    try:
        checked = _Entry.model_validate(entry)
    except ValidationError as error:
        raise InvalidError(f"in its header, {printable(name)}: {first_error(error)}") from None
    *others, last = (f"'{known}'" for known in kind.types)
    require(
        checked.dtype in kind.types,
        f"in its header, {printable(name)}: dtype: Input should be {', '.join(others)} or {last}",
    )
    return checked


def _read(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    require(len(content) == count, "it was cut short while it was read")
    return content
