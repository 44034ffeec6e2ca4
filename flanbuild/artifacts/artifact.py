"""The one shape of "is it current, is it whole, build it" for every folder that has a record.

    record = current(folder, TaskRecord, fingerprint)    # None: missing, damaged or stale
    record = build(folder, make)                         # make(staging) writes the files and returns the record

Stale means that the record's fingerprint is not the one that today's inputs have. Whoever reads the files of an
artifact compares their bytes with the record first (`check_files`).
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from flanbuild.artifacts.files import remove_files, staged, xxh3_of
from flanbuild.artifacts.records import (
    RECORD,
    Digest,
    FolderRecord,
    find_record,
    read_record,
    write_record,
)
from flanbuild.errors import ArtifactError, DamagedError
from flanbuild.progress import log

Model = TypeVar("Model", bound=FolderRecord)


def current(folder: Path, kind: type[Model], fingerprint: Callable[[Model], Digest]) -> Model | None:
    """The artifact's record if its inputs are today's and its files are there; otherwise None.

    `fingerprint` gives what the record's own must be; it may depend on counts that the record holds. Files are not
    read: see `check_files`.
    """
    record = find_record(folder / RECORD, kind)
    if record is None or record.fingerprint != fingerprint(record):
        return None
    missing = [name for name in record.files() if not (folder / name).is_file()]
    if missing:
        log(f"{folder / missing[0]}: missing. It will be built again.")
        return None
    return record


def check_files(folder: Path, record: FolderRecord, names: set[str] | None = None) -> None:
    """Compares the files beside a record, or those of them in `names`, with the record's digests.

    Raises DamagedError for the first that is missing or differs.
    """
    for name, expected in record.files().items():
        if names is not None and name not in names:
            continue
        if not (folder / name).is_file():
            raise DamagedError(f"{folder / name}: missing, although its record names it.")
        if xxh3_of(folder / name) != expected:
            raise DamagedError(f"{folder / name}: damaged, its bytes are not those that its record names.")


def is_whole(folder: Path, record: FolderRecord) -> bool:
    """Whether all files are as the record names them; if not, logs which one is not."""
    try:
        check_files(folder, record)
    except DamagedError as error:
        log(f"{error} It will be built again.")
        return False
    return True


def build(folder: Path, make: Callable[[Path], Model]) -> Model:
    """Builds an artifact: `make` fills a staging folder and returns the record. The caller holds the lock.

    Files that the old record does not name are kept. If the old record is damaged, the files that the new one names
    are replaced.
    """
    made: list[Model] = []
    with staged(folder, lambda: _written(folder, type(made[0]), made[0])) as staging:
        made.append(make(staging))
        write_record(staging / RECORD, made[0])
    return made[0]


def prune(root: Path, keep: Iterable[Path], kind: type[FolderRecord]) -> None:
    """Removes artifacts below `root` that nothing declares any more; says so. The caller holds the lock.

    Stages keep what is current between runs, so what a removed task has left must not be read as if it were declared.
    Files that an artifact's record does not name stay.
    """
    wanted = {folder.resolve() for folder in keep}
    for path in sorted(root.rglob(RECORD)):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file() and path.parent.resolve() not in wanted:
            remove_files(path.parent, _written(path.parent, kind))
            log(f"{path.parent}: removed, no task file declares it.")


def _written(folder: Path, kind: type[FolderRecord], new: FolderRecord | None = None) -> set[str]:
    """The files that the record of a folder names, and itself; none if there is no record."""
    if not (folder / RECORD).is_file():
        return set()
    try:
        record: FolderRecord | None = read_record(folder / RECORD, kind)
    except ArtifactError:  # damaged, or of another version
        record = new
    return {RECORD, *(record.files() if record else ())}
