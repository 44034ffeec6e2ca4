"""Whether a mixture is what its declarations and its source give today: built again from nothing, and compared."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flanbuild.artifacts.files import read_json, sha256_of
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.task import Task
from flanbuild.inspect import difference
from flanbuild.inspect.difference import RowChanges
from flanbuild.mix import manifest
from flanbuild.render.prompts import declaration


def mixture_of(folder: Path) -> Mixture:
    """The mixture that the manifest tells."""
    declared = read_json(folder / manifest.NAME)["mixture"]
    return Mixture.model_validate(declared | {"path": f"{declared['name']}.yaml"})


def stale(folder: Path, tasks: Mapping[str, Task], current: Mixture | None) -> list[str]:
    """What is declared otherwise now, before any work. `current`: the mixture's file, if there is one."""
    record = read_json(folder / manifest.NAME)
    found = []
    if current is not None:
        declared = current.model_dump(mode="json", exclude={"path"})
        found += [
            f"{current.path}: {one} since this was built."
            for one in difference.of_mixtures(record["mixture"], declared)
        ]
    for name, said in record["tasks"].items():
        task = tasks.get(name)
        if task is None:
            found.append(f"{name}: no page declares it here.")
        elif declaration(task) != said["declaration"]:
            found.append(f"{task.path}: the declaration of {name} is not the one that this was built from.")
    return found


def rebuilt_differences(folder: Path, again: Path) -> list[str]:
    """A sentence for each difference between a mixture folder and the folder of its rebuild."""
    found = difference.compare(folder, again)
    return [*_declared(found), *map(_rows, found.rows), *_files(folder, again)]


def _declared(difference: difference.Difference) -> Iterator[str]:
    """A sentence a task."""
    by_task: dict[str, list[str]] = {}
    for one in difference.declared:
        by_task.setdefault(one.where, []).append(str(one))
    yield from (f"{where}: {'; '.join(said)}." for where, said in by_task.items())


def _rows(rows: RowChanges) -> str:
    counts = ", ".join(f"{getattr(rows, kind):,} {kind}" for kind in rows.kinds())
    return f"{rows.task}: {rows.split} examples {counts}: {'; '.join(rows.causes)}."


def _files(folder: Path, again: Path) -> Iterator[str]:
    names = sorted({path.name for path in (*folder.iterdir(), *again.iterdir())})
    for name in names:
        paths = folder / name, again / name
        if not all(path.is_file() for path in paths):
            yield f"{paths[0]}: {'not made again' if paths[0].is_file() else 'made again, but not here'}."
        elif sha256_of(paths[0]) != sha256_of(paths[1]):
            yield f"{paths[0]}: other bytes when built again{_why(*paths)}."


def _why(before: Path, after: Path) -> str:
    """For a manifest, the keys that differ."""
    if before.name != manifest.NAME:
        return ""
    said: tuple[Mapping[str, Any], ...] = read_json(before), read_json(after)
    keys = sorted(key for key in said[0].keys() | said[1].keys() if said[0].get(key) != said[1].get(key))
    if keys == ["digest", "inputs"]:
        return ": the same examples, but of another --examples or another version of flanbuild"
    return f": {', '.join(key for key in keys if key != 'digest')}"
