"""Random damages to the bytes of a file, for benchmarks/mutations.py."""

import random
from collections.abc import Sequence
from pathlib import Path

SPECIAL = ('"', "'", "\n", "\r", "\r\n", "\0", "\ufeff", "{", "}", "{{", "[", "]", ",", "\t", "\\", ":", "#", "&a ", "*a", "%", "\x1b[31m", "\u2028", "é", "x" * 200_000)  # fmt: skip
DEEP = ("[", "{", '{"a":', "(", "- ")
VALUES = ("null", "[]", "{}", "7", "-1", "1e999", "99999999999999999999", "true", '"text"', '["text"]', "{a: 1}", "2024-01-01", "!!python/name:os.system x", "&a [*a]", "''", "0.5")  # fmt: skip


class Damage:
    """Damages of one try: one to three, chosen by the seed, or none, which the first try of each kind checks."""

    def __init__(self, draw: random.Random, *, none: bool) -> None:
        self.draw, self.none = draw, none
        self.done: list[str] = []

    def choose(self, files: Sequence[Path]) -> Path:
        """The file to damage."""
        file = self.draw.choice(files)
        self.done.append(file.name)
        return file

    def __call__(self, data: bytes, *, lines: bool = False) -> bytes:
        """The damaged bytes. `lines` adds the damages for files whose lines hold `key: value`."""
        kinds = OF_LINES if lines else OF_BYTES
        for _ in range(0 if self.none else self.draw.choice((1, 1, 1, 2, 3))):
            damage = self.draw.choice(kinds)
            data = damage(data or b"\n", self.draw)
            self.done.append(damage.__name__[1:])
        return data


def _chunk(data: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(data))
    return start, min(len(data), start + draw.choice((1, 2, 8, 60, 500)))


def _flip(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]


def _delete(data: bytes, draw: random.Random) -> bytes:
    start, end = _chunk(data, draw)
    return data[:start] + data[end:]


def _duplicate(data: bytes, draw: random.Random) -> bytes:
    start, end = _chunk(data, draw)
    return data[:end] + data[start:end] + data[end:]


def _insert(data: bytes, draw: random.Random) -> bytes:
    (start, end), at = _chunk(data, draw), draw.randrange(len(data) + 1)
    return data[:at] + data[start:end] + data[at:]


def _truncate(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _swap(data: bytes, draw: random.Random) -> bytes:
    one, two = draw.randrange(len(data)), draw.randrange(len(data))
    swapped = bytearray(data)
    swapped[one], swapped[two] = data[two], data[one]
    return bytes(swapped)


def _special(data: bytes, draw: random.Random) -> bytes:
    at = draw.choice((0, draw.randrange(len(data) + 1), len(data)))
    return data[:at] + draw.choice(SPECIAL).encode() + data[at:]


def _nest(data: bytes, draw: random.Random) -> bytes:
    at = draw.choice((0, draw.randrange(len(data) + 1)))
    return data[:at] + draw.choice(DEEP).encode() * draw.choice((5, 2_000, 100_000)) + data[at:]


def _drop_line(data: bytes, draw: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    del lines[draw.randrange(len(lines))]
    return b"".join(lines)


def _replace_value(data: bytes, draw: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    number = draw.choice([i for i, line in enumerate(lines) if b":" in line] or [0])
    key, _, rest = lines[number].partition(b":")
    comma = b"," if rest.rstrip().endswith(b",") else b""
    lines[number] = key + b": " + draw.choice(VALUES).encode() + comma + b"\n"
    return b"".join(lines)


OF_BYTES = (_flip, _flip, _delete, _duplicate, _insert, _truncate, _swap, _special, _special, _nest)
OF_LINES = (*OF_BYTES, _drop_line, _replace_value, _replace_value)
