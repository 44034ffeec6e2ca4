"""Whether a mixture is what its declarations and its source give today: built again from nothing, and compared."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flanbuild import differences, manifest, shards
from flanbuild.build import Build
from flanbuild.mixtures import Mixture
from flanbuild.rendering import declaration


def mixture_of(folder: Path) -> Mixture:
    """The mixture that the manifest tells."""
    declared = shards.read_json(folder / manifest.NAME)["mixture"]
    return Mixture.model_validate(declared | {"path": f"{declared['name']}.yaml"})


def stale(folder: Path, build: Build, current: Mixture | None) -> list[str]:
    """What is declared otherwise now, before any work. `current`: the mixture's file, if there is one."""
    record = shards.read_json(folder / manifest.NAME)
    found = []
    if current is not None:
        declared = current.model_dump(mode="json", exclude={"path"})
        found += [
            f"{current.path}: {one} since this was built."
            for one in differences.of_mixtures(record["mixture"], declared)
        ]
    for name, said in record["tasks"].items():
        task = build.tasks.get(name)
        if task is None:
            found.append(f"{name}: no page declares it here.")
        elif declaration(task) != said["declaration"]:
            found.append(f"{task.page}: the declaration of {name} is not the one that this was built from.")
    return found


def rebuild(folder: Path, build: Build) -> list[str]:
    """Builds the mixture into `build.data` and says what differs, a sentence each; empty when every byte is equal.

    `build` is of `mixture_of(folder)` and an empty folder. The folder's own manifest has been verified.
    """
    record = shards.read_json(folder / manifest.NAME)
    if missing := sorted(record["tasks"].keys() - build.tasks.keys()):
        return [f"{folder}: can't be built again without the pages of {', '.join(missing)}."]
    again, _, _ = build.mix(record["holdout"])
    difference = differences.compare(folder, again)
    return [*_declared(difference), *map(_rows, difference.rows), *_files(folder, again)]


def _declared(difference: differences.Difference) -> Iterator[str]:
    """A sentence a task."""
    by_task: dict[str, list[str]] = {}
    for one in difference.declared:
        by_task.setdefault(one.where, []).append(str(one))
    yield from (f"{where}: {'; '.join(said)}." for where, said in by_task.items())


def _rows(rows: differences.Rows) -> str:
    counts = ", ".join(f"{getattr(rows, kind):,} {kind}" for kind in rows.kinds())
    return f"{rows.task}: {rows.split} examples {counts}: {'; '.join(rows.causes)}."


def _files(folder: Path, again: Path) -> Iterator[str]:
    names = sorted({path.name for path in (*folder.iterdir(), *again.iterdir())})
    for name in names:
        paths = folder / name, again / name
        if not all(path.is_file() for path in paths):
            yield f"{paths[0]}: {'not made again' if paths[0].is_file() else 'made again, but not here'}."
        elif shards.sha256(paths[0]) != shards.sha256(paths[1]):
            yield f"{paths[0]}: other bytes when built again{_why(*paths)}."


def _why(before: Path, after: Path) -> str:
    """For a manifest, the keys that differ."""
    if before.name != manifest.NAME:
        return ""
    said: tuple[Mapping[str, Any], ...] = shards.read_json(before), shards.read_json(after)
    keys = sorted(key for key in said[0].keys() | said[1].keys() if said[0].get(key) != said[1].get(key))
    if keys == ["digest", "inputs"]:
        return ": the same examples, but of another --examples or another version of flanbuild"
    return f": {', '.join(key for key in keys if key != 'digest')}"
