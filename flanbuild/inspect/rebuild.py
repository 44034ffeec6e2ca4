"""Whether a mixture is what its declarations and its source give today: built again from nothing, and compared."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import MANIFEST, Manifest, read_record
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.task import Task
from flanbuild.inspect import difference
from flanbuild.inspect.difference import Difference, RowChanges
from flanbuild.render.splits import declaration


def mixture_of(folder: Path) -> Mixture:
    """The mixture that the manifest of a folder declares."""
    manifest = read_record(folder / MANIFEST, Manifest)
    return Mixture.model_validate(manifest.mixture | {"path": f"{manifest.name}.yaml"})


def stale(folder: Path, tasks: Mapping[str, Task], current: Mixture | None) -> list[str]:
    """What is declared differently now, before any work. `current`: the mixture's file, if there is one."""
    manifest = read_record(folder / MANIFEST, Manifest)
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
    return [*_declared(found), *map(_rows, found.rows), *_files(folder, again)]


def _declared(found: Difference) -> Iterator[str]:
    """A sentence for each task."""
    by_task: dict[str, list[str]] = {}
    for change in found.declared:
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
    before, after = (read_record(path, Manifest).model_dump() for path in (old, new))
    return [
        key
        for key in sorted(before)
        if before[key] != after[key] and key not in ("checksum", "digest", "versions")
    ]
