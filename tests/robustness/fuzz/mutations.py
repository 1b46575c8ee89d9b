"""What damages a model file, by chance or on purpose."""

from collections.abc import Sequence
from random import Random
from typing import Any

from tests.robustness.fuzz.draft import Draft, Object, Quoted, Raw, parsed

NUMBERS = (0, 1, 2, 3, 7, 8, 32, 255, 2**16, 2**24 - 1, 2**24, 2**30, 2**31 - 1, 2**31, 2**32)
HUGE = (2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**60)
RAW = ("NaN", "-Infinity", "1e999", "1E2", "-0", "00", "0x1", "9" * 4000, "9" * 5000, "", ",")
NAMES = (
    *("__metadata__", "packed-network", "version", "widths", "pixel_bits", "pixel_gamma"),
    *("passes", "sha256", "maps", "height", "width", "channels", "stride", "pool"),
    *("dtype", "shape", "data_offsets"),
    *(f"layers.{i}.{kind}" for i in range(3) for kind in ("bits", "thresholds", "smallest")),
    *(f"layers.{i}.{kind}" for i in range(3) for kind in ("scale", "shift")),
    *("U8", "I8", "I32", "U32", "F32", "F64", "BF16", "F8_E5M2", "BOOL", "C64", "F4"),
    *("", "1", "\0", "\x1b[31m", "\ud800", "\u00e4", "\u202e", "x" * 500),
)
# As int32 or as float32: the least and the largest, those that are just taken, infinities, NaN.
WORDS = (
    *(0, 1, 2**31, 2**31 - 1, 2**32 - 1, 2**24 - 1, 2**24, 2**32 - 2**24, 2**32 - 2**24 + 1),
    *(0x7F7FFFFF, 0x737FFFFF, 0xF27FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000),
)


def damaged(random: Random, files: Sequence[bytes]) -> bytes:
    """Return one of `files`, or what is made of it; most keep or get a checksum that fits."""
    content = random.choice(files)
    repaired = random.random() < 0.8
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        draft = parsed(content)
        if draft is None or random.random() < 0.2:
            content = _damage_bytes(random, content, files)
            draft = parsed(content)
        else:
            random.choice((_damage_header, _damage_arrays))(random, draft)
            content = draft.content()
        if draft is not None and repaired:
            draft.repair_checksum()
            content = draft.content()
    return content


def _damage_bytes(random: Random, content: bytes, files: Sequence[bytes]) -> bytes:
    at = random.randrange(len(content) + 1)
    size = min(len(content) - at, int(random.paretovariate(0.5)))
    other = random.choice(files)
    start = random.randrange(len(other))
    match random.randrange(7):
        case 0:
            return _flipped(random, content)
        case 1:
            return content[:at]
        case 2:
            return content + random.choice((bytes(size), random.randbytes(size), other[:size]))
        case 3:
            return content[:at] + other[start : start + size] + content[at + size :]
        case 4:
            return content[:at] + other[start : start + size] + content[at:]
        case 5:
            return content[:at] + content[at + size :]
        case _:
            length = random.choice((*NUMBERS, *HUGE[:4], len(content), len(content) - 8))
            return length.to_bytes(8, "little") + content[8:]


def _damage_arrays(random: Random, draft: Draft) -> None:
    arrays = draft.arrays
    if not arrays:
        return
    match random.randrange(10):
        case 0 | 1 | 2:
            arrays[:] = _flipped(random, bytes(arrays))
        case 3 | 4 | 5:
            at = random.randrange(len(arrays)) // 4 * 4
            # Numbers come before bits.
            at = random.choice((at, at % 128))
            arrays[at : at + 4] = random.choice(WORDS).to_bytes(4, "little")
        case 6 | 7 | 8:
            at = random.randrange(len(arrays))
            size = min(len(arrays) - at, int(random.paretovariate(0.5)))
            arrays[at : at + size] = random.randbytes(size)
        case _:
            size = int(random.paretovariate(0.5)) % 10_000
            arrays[:] = random.choice((arrays[:-size], arrays + bytes(size)))


def _flipped(random: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _damage_header(random: Random, draft: Draft) -> None:
    node, at = random.choice(_places(draft.header))
    key, value = node[at] if isinstance(node, Object) else (None, node[at])
    match random.randrange(10):
        case 0:
            del node[at]
        case 1:
            node.insert(random.randrange(len(node) + 1), node[at])
        case 2 if key is not None:
            node[at] = (random.choice(NAMES), value)
        case 3:
            node.insert(at, node[at] if key is None else (random.choice(NAMES), value))
        case 4:
            other = random.randrange(len(node))
            node[at], node[other] = node[other], node[at]
        case 5 if key is not None:
            # Two keys exchange their values: two arrays their places, say.
            other = random.randrange(len(node))
            other_key, other_value = node[other]
            node[at], node[other] = (key, other_value), (other_key, value)
        case 6 if isinstance(draft.header, Object):
            size, end = random.randrange(1, 9), len(draft.arrays)
            offsets = [end, end + size]
            entry = Object([("dtype", "U8"), ("shape", [size]), ("data_offsets", offsets)])
            draft.header.append((random.choice(NAMES), entry))
            draft.arrays += random.randbytes(size)
        case _:
            changed = _other_value(random, value)
            node[at] = changed if key is None else (key, changed)


def _places(node: Any) -> list[tuple[Any, int]]:
    """Return every element of the tree, as what it is in and where."""
    if isinstance(node, Quoted):
        return _places(node.content)
    if not isinstance(node, list):
        return []
    places = [(node, at) for at in range(len(node))]
    for element in node:
        places += _places(element[1] if isinstance(node, Object) else element)
    return places


def _other_value(random: Random, value: Any) -> Any:
    if isinstance(value, int) and random.random() < 0.6:
        nearby = (value + 1, value - 1, value * 2, value + 8, value ^ 1 << random.randrange(12))
        return random.choice((*nearby, -value, float(value), str(value), Raw(f"{value}e0")))
    match random.randrange(6):
        case 0:
            return random.choice((*NUMBERS, *HUGE))
        case 1:
            return -random.choice((*NUMBERS, *HUGE))
        case 2:
            return Raw(random.choice(RAW))
        case 3:
            return random.choice(NAMES)
        case 4:
            return random.choice((None, True, False, 0.5, [], Object(), [value], [[]] * 99))
        case _:
            depth = random.choice((2, 100, 1000, 5000, 30_000))
            return Raw(random.choice(("[" * depth + "]" * depth, '{"":' * depth)))
