"""Where the rows of a split lie among the files of a repository.

Nearly all of the hub is one of a few Parquet layouts, and those need no declaration:

    <config>/<split>-00000-of-00004.parquet        what `push_to_hub` writes
    <config>/<split>/0000.parquet                  the hub's own conversion, on refs/convert/parquet
    <config>/<name>-<split>-00000-of-00004.parquet an older conversion
    data/<split>-00000-of-00004.parquet            a repository of one config, `default`

Where all Parquet of a repository lies in one folder, that is `default`, whatever it is called. A page says where the rest lies, under `source.files`, by upstream split: patterns of files with rows (`*`
stays within a folder, `archive.zip!member` reaches into an archive), or a file of text lines for each column.
"""

import re
from collections.abc import Collection, Mapping

from flanbuild.declare.task import SourceDeclaration

Location = str | Mapping[str, str]
"""A file of rows; or column -> text file, line i of each being row i."""

MEMBER = "!"


def locate(declared: SourceDeclaration, split: str, paths: Collection[str]) -> list[Location]:
    """The split's places among `paths`, in name order; empty where the repository has no such split.

    What a page declares comes first; the layouts follow, so that a mirror may hold Parquet of what is text upstream.
    """
    files = declared.files.get(split)
    if isinstance(files, Mapping):
        columns = {column: _matching(pattern, paths) for column, pattern in files.items()}
        if all(len(matches) == 1 for matches in columns.values()):
            return [{column: matches[0] for column, matches in columns.items()}]
        files = None
    layouts = [
        *([files] if files else []),
        *_standard(declared.config, split),
        *_of_the_only_config(declared.config, split, paths),
    ]
    for patterns in layouts:
        if matches := sorted({path for pattern in patterns for path in _matching(pattern, paths)}):
            return list(matches)
    return []


def paths_of(places: Collection[Location]) -> list[str]:
    """The repository's files that the places need, each once, archives without their member."""
    paths = (path for place in places for path in ([place] if isinstance(place, str) else place.values()))
    return list(dict.fromkeys(path.partition(MEMBER)[0] for path in paths))


def _standard(config: str, split: str) -> list[tuple[str, ...]]:
    layouts: list[tuple[str, ...]] = [
        (f"{config}/{split}-*.parquet",),
        (f"{config}/{split}/*.parquet",),
        (f"{config}/*-{split}.parquet", f"{config}/*-{split}-*-of-*.parquet"),
    ]
    if config == "default":
        layouts += [(f"data/{split}-*.parquet",), (f"{split}-*.parquet", f"{split}.parquet")]
    return layouts


def _of_the_only_config(config: str, split: str, paths: Collection[str]) -> list[tuple[str, ...]]:
    """A repository of one config calls it what it likes, `default` or a name: cards and conversions differ in it."""
    found = {path.partition("/")[0] for path in paths if path.endswith(".parquet") and "/" in path}
    only = found.pop() if len(found) == 1 else config
    return _standard(only, split) if "default" in (config, only) else []


def _matching(pattern: str, paths: Collection[str]) -> list[str]:
    """The paths that match, each with the pattern's member if it has one."""
    pattern, bang, member = pattern.partition(MEMBER)
    matcher = re.compile(re.escape(pattern).replace(r"\*", "[^/]*"))
    return sorted(path + bang + member for path in paths if matcher.fullmatch(path))
