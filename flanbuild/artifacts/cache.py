"""Frees what can be computed again at any time."""

import shutil
from pathlib import Path

from flanbuild.artifacts.addresses import Addresses
from flanbuild.artifacts.files import leftover_of, locked

_LOCK_DEPTH = {"raw": 2, "evaluation": 1, "rendered": 2, "mixtures": 2, "cache": 2}
"""Path parts of the folder that is locked, by kind of artifact: a cluster's raw rows, all evaluation sets, …"""


def free(data: Path, *, dry_run: bool = False) -> list[tuple[Path, int]]:
    """Removes caches and the leftovers of killed runs below a data folder; returns (path, bytes) of each.

    Artifacts stay: raw rows, evaluation sets, rendered rows, mixtures. A folder that another process is building
    in is waited for.
    """
    addresses = Addresses(data)
    if not data.is_dir():
        return []
    kept = [
        *addresses.counts.glob("[0-9a-f]" * 24),
        *(addresses.contamination / name for name in ("pairs", "references")),
    ]
    kept = [path for path in sorted(kept) if path.is_dir()]
    found = [(path, _size(path)) for path in kept]
    leftovers = [path for path in sorted(data.rglob(".*.*-*")) if leftover_of(path)]
    found += [(path, _size(path)) for path in leftovers]
    if dry_run:
        return found
    with locked(addresses.counts):
        for path in kept:
            shutil.rmtree(path, ignore_errors=True)
    for folder in sorted({_locked_folder(data, path) for path in leftovers}):
        with locked(folder):
            pass  # taking the lock sweeps
    return found


def _locked_folder(data: Path, leftover: Path) -> Path:
    """The folder whose lock a builder of this leftover's artifact holds."""
    parts = leftover.with_name(leftover_of(leftover)).relative_to(data).parts
    return data.joinpath(*parts[: _LOCK_DEPTH.get(parts[0], len(parts))])


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
