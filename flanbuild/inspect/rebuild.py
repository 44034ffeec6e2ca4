"""Whether a mixture is what its declarations and its source give today: built again from nothing, and compared."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from flanbuild.artifacts.arrow import BATCH_ROWS, read_table
from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import MANIFEST, Manifest, Shard, read_record
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.task import Task
from flanbuild.inspect import difference
from flanbuild.inspect.difference import ChangedKey, RowChanges
from flanbuild.render.splits import declaration


def mixture_of(manifest: Manifest) -> Mixture:
    """The mixture that a manifest declares."""
    return Mixture.model_validate(manifest.mixture | {"path": f"{manifest.name}.yaml"})


def stale(manifest: Manifest, tasks: Mapping[str, Task], current: Mixture | None) -> list[str]:
    """What is declared differently now, before any work. `current`: the mixture's file, if there is one."""
    faults = []
    if current is not None:
        declared = current.model_dump(mode="json", exclude={"path"})
        faults += [
            f"{current.path}: {change} since this was built."
            for change in difference.of_mixtures(manifest.mixture, declared)
        ]
    for name, facts in manifest.tasks.items():
        task = tasks.get(name)
        if task is None:
            faults.append(f"{name}: no task file declares it here.")
        elif declaration(task) != facts.declaration:
            faults.append(f"{task.path}: the declaration of {name} is not the one that this was built from.")
    return faults


def rebuilt_differences(folder: Path, again: Path) -> list[str]:
    """A sentence for each difference between a mixture folder and the folder of its rebuild."""
    found = difference.compare(folder, again)
    return [*_declared(found.declared), *map(_rows, found.rows), *_files(folder, again)]


def manifest_differences(manifest: Path, again: Path) -> list[str]:
    """A sentence for each difference between a manifest and the folder of a rebuild; none if every shard is the same.

    Only the manifest is needed. Of a shard that differs, the first row is named that differs: exactly if the old shard or
    its export as Parquet lies beside the manifest, otherwise as one of the rows of a record batch. If shards differ,
    versions that differ are named too.
    """
    before, after = read_record(manifest, Manifest), read_record(again / MANIFEST, Manifest)
    faults = list(_declared(difference.declared(before, after)))
    for split, shards in before.shards.items():
        faults += _shards(manifest.parent, shards, again, after.shards.get(split, ()))
    if not faults and before.digest != after.digest:
        faults.append(f"{manifest}: other values when built again: {', '.join(_differing(before, after))}.")
    return [*faults, *_versions(before, after)] if faults else []


def _shards(folder: Path, before: Iterable[Shard], again: Path, after: Iterable[Shard]) -> Iterator[str]:
    """A sentence for each shard that is not built again, or with other bytes."""
    built = {shard.path: shard for shard in after}
    for old in before:
        new = built.pop(old.path, None)
        if new is None:
            yield f"{old.path}: not built again."
        elif old.rows_digest != new.rows_digest:
            counts = f"; it has {new.rows:,} rows instead of {old.rows:,}" if old.rows != new.rows else ""
            yield f"{old.path}: {_first_row(folder, old, again, new)}{counts}."
        elif old.sha256 != new.sha256:
            yield f"{old.path}: the same rows in other bytes."
    yield from (f"{name}: built again, but not named by the manifest." for name in built)


def _first_row(folder: Path, old: Shard, again: Path, new: Shard) -> str:
    """Where two shards of one name begin to differ."""
    original = _shard_rows(folder / old.path)
    if original is None:
        batch = next((n for n, (a, b) in enumerate(zip(old.digests, new.digests, strict=False)) if a != b), 0)
        last = min((batch + 1) * BATCH_ROWS, old.rows) - 1
        return f"the first row that differs is one of {batch * BATCH_ROWS:,} to {last:,}"
    rebuilt = _frame(read_table(again / new.path))
    common = min(original.height, rebuilt.height)
    differ = original.head(common).hash_rows() != rebuilt.head(common).hash_rows()
    row = differ.arg_true()[0] if differ.any() else common
    found = ", ".join(_row_name(rows, row) for rows in (original, rebuilt))
    return f"row {row:,} is the first that differs ({found} when built again)"


def _row_name(rows: pl.DataFrame, row: int) -> str:
    if row >= rows.height:
        return "no row"
    task, number = rows.row(row, named=True)["task"], rows.row(row, named=True)["row"]
    return f"{task} row {number:,}"


def _shard_rows(path: Path) -> pl.DataFrame | None:
    """The rows of a shard, or of its export as Parquet; None if there is neither."""
    if path.is_file():
        return _frame(read_table(path))
    parquet = path.with_suffix(".parquet")
    return _frame(pq.read_table(parquet)) if parquet.is_file() else None


def _frame(table: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table))


def _versions(before: Manifest, after: Manifest) -> Iterator[str]:
    """A sentence for each package whose version differs."""
    for name in sorted(before.versions.keys() | after.versions.keys()):
        old, new = before.versions.get(name, "unknown"), after.versions.get(name, "unknown")
        if old != new:
            yield f"{name}: built with version {old}, and again with {new}."


def _declared(changes: Iterable[ChangedKey]) -> Iterator[str]:
    """A sentence for each task."""
    by_task: dict[str, list[str]] = {}
    for change in changes:
        by_task.setdefault(change.where, []).append(str(change))
    yield from (f"{where}: {'; '.join(changes)}." for where, changes in by_task.items())


def _rows(rows: RowChanges) -> str:
    counts = ", ".join(f"{getattr(rows, kind):,} {kind}" for kind in rows.kinds())
    return f"{rows.task}: {rows.split} examples {counts}: {'; '.join(rows.causes)}."


def _files(folder: Path, again: Path) -> Iterator[str]:
    for name in sorted({*_names(folder), *_names(again)}):
        old, new = folder / name, again / name
        if not old.is_file() or not new.is_file():
            yield f"{old}: {'not built again' if old.is_file() else 'built again, but not here'}."
        elif sha256_of(old) != sha256_of(new) and (old.name != MANIFEST or _changed_keys(old, new)):
            yield f"{old}: other bytes when built again{_why(old, new)}."


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _why(old: Path, new: Path) -> str:
    """For a manifest, the keys that differ."""
    return f": {', '.join(_changed_keys(old, new))}" if old.name == MANIFEST else ""


def _changed_keys(old: Path, new: Path) -> list[str]:
    """The keys of two manifests that differ, but for what follows from others and the versions that wrote them."""
    return _differing(*(read_record(path, Manifest) for path in (old, new)))


def _differing(old: Manifest, new: Manifest) -> list[str]:
    before, after = old.model_dump(), new.model_dump()
    return [
        key
        for key in sorted(before)
        if before[key] != after[key] and key not in ("checksum", "digest", "versions")
    ]
