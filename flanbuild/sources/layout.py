"""The location of the rows of a split among the files of a repository.

Nearly all repositories of the hub have one of a few Parquet layouts, which need no declaration:

    <config>/<split>-00000-of-00004.parquet        what `push_to_hub` writes
    <config>/<split>/0000.parquet                  the hub's own conversion, on refs/convert/parquet
    <config>/<name>-<split>-00000-of-00004.parquet an older conversion
    data/<split>-00000-of-00004.parquet            a repository of one config, `default`

If all Parquet files of a repository are in one folder, this folder is the config `default`, whatever its name.

For other layouts the task file declares `source.files` by upstream split: patterns of files with rows (`*` matches
within a folder, `archive.zip!member` names a member of an archive), or one file of text lines for each column. A pattern
that matches nothing is a fault. The layouts are used in its place only where the files are known to be a conversion: on
the hub's branch of conversions, in imported files, and in a mirror if the declared files are none of Parquet.
"""

from collections.abc import Collection, Mapping, Sequence

from flanbuild.declare.task import SourceDeclaration
from flanbuild.errors import SourceError, nearest
from flanbuild.sources.archives import is_parquet
from flanbuild.sources.patterns import matching, split_member

Location = str | Mapping[str, str]
"""A file of rows; or a text file for each column, where line i of each file belongs to row i."""

MEMBER = "!"
"""Separates an archive from its member in a path."""


def locate(declared: SourceDeclaration, split: str, paths: Collection[str]) -> list[Location]:
    """The locations of the split among `paths`, in name order; empty if there are none.

    Declared files are matched by their patterns alone, and other splits by the layouts.
    """
    files = declared.files.get(split)
    if files is None:
        return locate_converted(declared, split, paths)
    if isinstance(files, Mapping):
        by_column = _by_column(split, files, paths)
        return [by_column] if by_column else []
    return list(_by_pattern(split, files, paths))


def locate_converted(declared: SourceDeclaration, split: str, paths: Collection[str]) -> list[Location]:
    """As `locate`, by the layouts alone: in imported files, and in the hub's conversion to Parquet."""
    layouts = [
        *_standard(declared.config, split),
        *_of_the_only_config(declared.config, split, paths),
    ]
    for patterns in layouts:
        if matches := sorted({path for pattern in patterns for path in _matching(pattern, paths)}):
            return list(matches)
    return []


def is_convertible(declared: SourceDeclaration, split: str) -> bool:
    """Whether the split's declared files are none of Parquet, so that a conversion to Parquet may replace them."""
    patterns = patterns_of(declared, split)
    return bool(patterns) and not any(is_parquet(split_member(pattern)[0]) for pattern in patterns)


def no_match(declared: SourceDeclaration, split: str, paths: Collection[str]) -> str:
    """The sentence about declared patterns that match none of `paths`, with the nearest names."""
    patterns = patterns_of(declared, split)
    quoted = ", ".join(f"'{pattern}'" for pattern in patterns)
    hint = nearest(split_member(patterns[0])[0], paths).replace("Allowed:", "Files there:", 1)
    return f"source.files.{split}: no file of {declared.repo} matches {quoted}.{hint}"


def patterns_of(declared: SourceDeclaration, split: str) -> list[str]:
    """The declared patterns of a split; none for a split in a layout."""
    files = declared.files.get(split, ())
    return list(files.values() if isinstance(files, Mapping) else files)


def paths_of(locations: Collection[Location]) -> list[str]:
    """The files of the locations, each once; for a member of an archive, the archive."""
    paths = (
        path
        for location in locations
        for path in ([location] if isinstance(location, str) else location.values())
    )
    return list(dict.fromkeys(split_member(path)[0] for path in paths))


def _by_column(split: str, files: Mapping[str, str], paths: Collection[str]) -> dict[str, str]:
    """The text file of each column; empty if no pattern matches. Raises SourceError if only some do, or twice."""
    matches = {column: _matching(pattern, paths) for column, pattern in files.items()}
    if not any(matches.values()):
        return {}
    for column, found in matches.items():
        if len(found) != 1:
            shown = f": {', '.join(found[:4])}" if found else ""
            raise SourceError(
                f"source.files.{split}.{column}: '{files[column]}' matches {len(found)} files, expected one{shown}."
            )
    return {column: found[0] for column, found in matches.items()}


def _by_pattern(split: str, patterns: Sequence[str], paths: Collection[str]) -> list[str]:
    """The files of all patterns, each once; empty if none matches. Raises SourceError if only some match."""
    matches = {pattern: _matching(pattern, paths) for pattern in patterns}
    found = sorted({path for group in matches.values() for path in group})
    for pattern, group in matches.items():
        if found and not group:
            raise SourceError(f"source.files.{split}: '{pattern}' matches no file.")
    return found


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
    """The layouts of the only config, which may be called `default` or have a name: cards and conversions differ."""
    folders = {path.partition("/")[0] for path in paths if path.endswith(".parquet") and "/" in path}
    only = folders.pop() if len(folders) == 1 else config
    return _standard(only, split) if "default" in (config, only) else []


def _matching(pattern: str, paths: Collection[str]) -> list[str]:
    """The paths that match, each with the member of the pattern if it has one."""
    pattern, member = split_member(pattern)
    return [f"{path}{MEMBER}{member}" if member else path for path in matching(pattern, paths)]
