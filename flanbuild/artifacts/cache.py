"""Frees what can be computed again at any time."""

import shutil
from pathlib import Path

from flanbuild.artifacts.addresses import Addresses
from flanbuild.artifacts.files import locked


def free(data: Path, *, dry_run: bool = False) -> list[tuple[Path, int]]:
    """Removes caches and the leftovers of killed runs below a data folder; returns (path, bytes) of each.

    Artifacts stay: raw rows, evaluation sets, rendered rows, mixtures. A folder that another process is building
    in is waited for.
    """
    addresses = Addresses(data)
    if not data.is_dir():
        return []
    found = [(path, _size(path)) for path in sorted(addresses.counts.glob("*")) if path.is_dir()]
    leftovers = [path for path in sorted(data.rglob(".*.*-*")) if _is_leftover(path)]
    found += [(path, _size(path)) for path in leftovers]
    if dry_run:
        return found
    with locked(addresses.counts):
        shutil.rmtree(addresses.counts, ignore_errors=True)
    for path in leftovers:
        with locked(path.with_name(path.name.removeprefix(".").rpartition(".")[0])):
            pass  # taking the lock sweeps
    return found


def _is_leftover(path: Path) -> bool:
    kind = path.name.rpartition(".")[2]
    return kind.startswith(("staging-", "old-", "part-"))


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
