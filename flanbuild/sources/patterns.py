"""The pattern language of `source.files`: glob, with `*`, `?`, `[…]` and `**`.

`*` and `?` stay within a folder, `[abc]` and `[!abc]` are one character, and `**` as a whole segment is any number of
folders. No wildcard matches a dot at the start of a name. A name that exists as it is written is that file, whatever
characters it has. `archive.zip!member` names a member of a zip archive; a member pattern without a slash is compared
with the member's file name.
"""

import os
import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from posixpath import normpath

_MAGIC = re.compile(r"[*?\[]")
_ARCHIVE = re.compile(r"\.zip\*?!", re.IGNORECASE)


def split_member(path: str) -> tuple[str, str]:
    """The archive and the member of `archive.zip!member`; the path and an empty text for any other path."""
    match = _ARCHIVE.search(path)
    return (path[: match.end() - 1], path[match.end() :]) if match else (path, "")


def matching(pattern: str, paths: Collection[str]) -> list[str]:
    """The paths that match a pattern of files (without a member), in name order."""
    if pattern in paths:
        return [pattern]
    matcher = _matcher(normpath(pattern))
    return sorted(path for path in paths if matcher.fullmatch(path))


def matching_members(pattern: str, names: Iterable[str]) -> list[str]:
    """The names of an archive's members that match, in the archive's order."""
    names = [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if pattern in names:
        return [pattern]
    matcher = _matcher(pattern)
    whole = "/" in pattern
    return [name for name in names if matcher.fullmatch(name if whole else name.rpartition("/")[2])]


def matches_name(pattern: str, path: str) -> bool:
    """Whether the last segment of a pattern matches the file name of `path`."""
    name = Path(path).name
    last = pattern.rpartition("/")[2]
    return name == last or _matcher(last).fullmatch(name) is not None


def find_files(folder: Path, pattern: str) -> list[str]:
    """The files below `folder` that match, as paths relative to it, in name order. Only files that can be read whole.

    The pattern may begin with `../`. `folder` is a name, never a pattern.
    """
    if is_file(folder / pattern):
        return [normpath(pattern)]
    pattern = normpath(pattern)
    parts = pattern.split("/")
    fixed = next((i for i, part in enumerate(parts) if _MAGIC.search(part)), len(parts) - 1)
    base = "/".join(parts[:fixed])
    depth = None if "**" in parts else len(parts) - fixed
    found = (f"{base}/{path}" if base else path for path in _walk(folder / base, depth))
    matcher = _matcher(pattern)
    return sorted(path for path in found if matcher.fullmatch(path) and is_file(folder / path))


def is_file(path: Path) -> bool:
    """As `Path.is_file`, which raises OSError for a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113


def _walk(folder: Path, depth: int | None) -> Iterator[str]:
    """The files below a folder, at most `depth` segments down."""
    for top, folders, files in os.walk(folder):
        relative = Path(top).relative_to(folder)
        if depth is not None and len(relative.parts) + 1 >= depth:
            folders.clear()
        folders.sort()
        for name in files:
            yield (relative / name).as_posix()


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> re.Pattern[str]:
    parts = pattern.split("/")
    expression = ""
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if part == "**":
            expression += r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if last else "")
        else:
            expression += _segment(part) + ("" if last else "/")
    return re.compile(expression, re.DOTALL)


def _segment(part: str) -> str:
    """One segment as a regular expression."""
    expression = r"(?!\.)" if part and part[0] in "*?[" else ""
    i = 0
    while i < len(part):
        letter = part[i]
        closing = part.find("]", i + 3 if part[i + 1 : i + 2] == "!" else i + 2) if letter == "[" else -1
        if letter == "*":
            expression += "[^/]*"
        elif letter == "?":
            expression += "[^/]"
        elif closing > 0:
            inside = part[i + 1 : closing]
            negated, inside = ("^/", inside[1:]) if inside[0] == "!" else ("", inside)
            escaped = inside.replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]").replace("^", r"\^")
            expression += f"[{negated}{_ranges(escaped)}]"
            i = closing
        else:
            expression += re.escape(letter)
        i += 1
    return expression


def _ranges(inside: str) -> str:
    """The content of a class; a range whose end is before its start is no range."""
    return re.sub(r"(.)-(.)", lambda m: m[0] if m[1] <= m[2] else f"{m[1]}\\-{m[2]}", inside)
