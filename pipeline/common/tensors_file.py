"""Files of arrays in the safetensors format, read by its library within bounds of our own.

The library refuses a file whose arrays do not fill it, one after another, before it takes memory
for them. It would take a long header, a key twice and unknown keys, and ends in an AttributeError
where NumPy lacks a type: `read` refuses those first.
"""

import errno
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from pipeline.common.errors import printable
from pipeline.common.serialization import parse_json

# A packed model of 8 billion weights: what trains it has tens of GB.
MAX_BYTES = 1 << 30
# An architecture's name is part of a file's name, which leaves it some 120 layers. A layer takes
# 250 bytes of a packed model's header, and 1,400 of the header of a checkpoint in torch.
MAX_HEADER = 1 << 18
_LENGTH = 8
# Those of a convolution's weights in torch.
_MAX_DIMENSIONS = 4

Arrays = dict[str, NDArray[np.generic]]


class InvalidError(Exception):
    """Says what is wrong with a file; `remedy` says what to do."""

    remedy = "Get the file again from where it came from, or train the model again"


class _VersionError(InvalidError):
    remedy = "Use the program's version that wrote it, or train the model again"


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    dtype: Literal["U8", "I8", "I16", "I32", "I64", "F32", "F64"]
    shape: Annotated[list[Annotated[int, Field(ge=1)]], Field(max_length=_MAX_DIMENSIONS)]
    data_offsets: list[int]


_ENTRIES = TypeAdapter(dict[str, _Entry])
_Schema = TypeVar("_Schema", bound=BaseModel)


def require(condition: bool, message: str) -> None:
    """Raise InvalidError unless `condition` holds."""
    if not condition:
        raise InvalidError(message)


def read(path: Path, max_bytes: int) -> tuple[dict[str, str], Arrays]:
    """Return the metadata and the arrays of a file.

    Args:
        path: the file.
        max_bytes: the most that it may have.

    Raises:
        OSError: it cannot be read or is not a file.
        InvalidError: it is too large, damaged, or has anything but scalars and arrays of up to
            four dimensions, of a type that a network has.
    """
    status = path.stat()
    # Reading a pipe would wait for a writer.
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a file")
    size = status.st_size
    require(size <= max_bytes, f"it has {size} bytes, and may have {max_bytes} at most")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        require(
            length <= MAX_HEADER,
            f"its header would have {length} bytes, and may have {MAX_HEADER} at most",
        )
        require(_LENGTH + length <= size, "it is cut short")
        _check_header(file.read(length))
    try:
        # By default the file is mapped, and the process ends where the file is cut short meanwhile.
        with safe_open(path, framework="np", backend="pread") as opened:
            return opened.metadata() or {}, opened.get_tensors()
    except SafetensorError as error:
        raise InvalidError(f"safetensors refuses it: {printable(str(error), 120)}") from None


def read_description(
    metadata: dict[str, str], form: str, versions: Sequence[int], schema: type[_Schema]
) -> _Schema:
    """Return what a file says of itself: its only metadata is JSON under its format's name.

    Args:
        metadata: of the file.
        form: the format's name.
        versions: those that this program reads.
        schema: of the description; it has an integer `version`.

    Raises:
        InvalidError: the file is of another format or version, or its description is not valid.
    """
    require(metadata.keys() == {form}, f"it is not a {form.replace('-', ' ')}")
    content = _parse(metadata[form], "its description")
    found = content.get("version")
    # This comes first: another version may differ in everything else.
    if type(found) is int and found not in versions:
        readable = " and ".join(map(str, versions))
        raise _VersionError(
            f"it is of version {printable(str(found))}, and this program reads version {readable}"
        )
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise InvalidError(f"in its description, {_first_error(error)}") from None


def _check_header(header: bytes) -> None:
    # The format demands this, and other readers may refuse white space before it.
    require(header.startswith(b"{"), "it does not begin with a header")
    # The library refuses what is not UTF-8.
    entries = _parse(header.decode("utf-8", "replace"), "its header")
    entries.pop("__metadata__", None)
    try:
        _ENTRIES.validate_python(entries)
    except ValidationError as error:
        raise InvalidError(f"in its header, {_first_error(error)}") from None


def _parse(text: str, where: str) -> dict[str, object]:
    try:
        return parse_json(text)
    except ValueError as error:
        raise InvalidError(f"{where} is not plain JSON: {error}") from None


def _first_error(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{printable(where)}: {first['msg']}" if where else first["msg"]
