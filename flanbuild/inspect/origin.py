"""Where one example of a mixture comes from, and what put it there.

The folder's manifest and shards say most of it. The page adds the template's words, and the raw folder the row
before preprocessing and its file; where they are missing or have changed since, the origin says so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from flanbuild.artifacts.files import read_json
from flanbuild.declare.task import Task
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.keys import row_keys, task_key
from flanbuild.mix import manifest
from flanbuild.read import load
from flanbuild.render.examples import examples
from flanbuild.render.preprocessors import SOURCE_ROW
from flanbuild.render.prompts import declaration
from flanbuild.render.templates import in_style


@dataclass(frozen=True)
class Origin:
    """Of one example. `unknown` tells what could not be found out, and why."""

    index: int
    split: str
    shard: str
    place: int
    """in the shard"""
    example: dict[str, Any]
    license: str
    source: dict[str, Any]
    """kind, repo, config, commit, and where known split, files, row (before preprocessing), columns"""
    template: dict[str, Any]
    keys: dict[str, str]
    """of the task and of the row, for its order within the task (cap, template) and its place among all"""
    share: dict[str, Any]
    """what the task gives: rows, rate, count, of how many"""
    unknown: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def origin(folder: Path, index: int, split: str, tasks: Mapping[str, Task], raw: Path) -> Origin:
    """The origin of example `index` of a mixture's split. `raw`: where raw folders lie, if they still do.

    Raises DeclarationError when there is no such example.
    """
    loaded = load(folder, split)
    if not 0 <= index < len(loaded):
        raise DeclarationError(f"{folder}: {split} has the examples 0 to {len(loaded) - 1:,}, not {index}.")
    example = loaded[index]
    record = read_json(folder / manifest.NAME)
    said = record["tasks"][example["task"]]
    shard, place = _shard(record["shards"][split], index)
    unknown: list[str] = []
    task = _page(example["task"], said, tasks, unknown)
    source = {key: said["source"][key] for key in ("kind", "repo", "config", "commit")}
    return Origin(
        index=index,
        split=split,
        shard=shard,
        place=place,
        example=example,
        license=said["license"],
        source=source | (_upstream(task, split, example["row"], said, raw, unknown) if task else {}),
        template=_template(task, example["template"], record["mixture"]["style"]),
        keys=_keys(record["mixture"]["seed"], split, example),
        share={
            "rows": said["rows"],
            "rate": said["rate"],
            "count": said["given"],
            "of": sum(other["given"] for other in record["tasks"].values()),
        },
        unknown=tuple(unknown),
    )


def _shard(files: list[dict[str, Any]], index: int) -> tuple[str, int]:
    """(file, place in it)."""
    for file in files:
        if index < file["rows"]:
            return file["path"], index
        index -= file["rows"]
    raise AssertionError("load() and the manifest count the same rows")


def _page(name: str, said: Mapping[str, Any], tasks: Mapping[str, Task], unknown: list[str]) -> Task | None:
    """The task as the mixture was built from it."""
    task = tasks.get(name)
    if task is None:
        unknown.append(f"The template's words and the source's split: no page declares {name} here.")
    elif declaration(task) != said["declaration"]:
        unknown.append(
            f"The template's words and the source's split: {task.path} is not as it was when this was built."
        )
    else:
        return task
    return None


def _template(task: Task | None, number: int, style: Any) -> dict[str, Any]:
    if task is None:
        return {"number": number}
    template = in_style(task, style).templates[number]
    return {"number": number, **template.model_dump(mode="json")}


def _upstream(
    task: Task, split: str, row: int, said: Mapping[str, Any], raw: Path, unknown: list[str]
) -> dict[str, Any]:
    """Split, files and row before preprocessing, as far as the page and the raw folder tell."""
    of = task.splits[split].of  # type: ignore[index]  # train or validation
    found: dict[str, Any] = {"split": of[0]} if len(of) == 1 else {"split": None, "splits": list(of)}
    if task.preprocess is None:
        found["row"] = row
    try:
        source = read_json(raw / task.cluster / task.name / "source.json")
    except ArtifactError:
        unknown.append(f"The row's columns and file: there are no raw rows of {task.name} in {raw}.")
        return found
    if source["digest"] != said["source"]["digest"]:
        unknown.append(
            f"The row's columns and file: {raw} has other rows of {task.name} than this was built from."
        )
        return found
    scanned = pl.concat([pl.scan_parquet(raw / task.cluster / task.name / f"{name}.parquet") for name in of])
    if task.preprocess is not None:
        row = examples(task, scanned, pl.Series([row])).select(SOURCE_ROW).collect().item()
    found["columns"] = scanned.slice(row, 1).collect().row(0, named=True)
    for name in of:
        upstream = source["splits"][name]
        if row < upstream["rows"]:
            found |= {"split": name, "row": row, "files": [file["path"] for file in upstream["files"]]}
            found |= {"excerpt_of": upstream["excerpt_of"]} if "excerpt_of" in upstream else {}
            break
        row -= upstream["rows"]
    return found


def _keys(seed: int, split: str, example: Mapping[str, Any]) -> dict[str, str]:
    """64 bits each, in hexadecimal; the smaller comes first."""
    order = task_key(seed, f"order {split}", example["task"])
    place = task_key(seed, f"place {split}", example["task"])
    row = np.array([example["row"]])
    return {
        "order_task": f"{order:016x}",
        "order_row": f"{int(row_keys(order, row)[0]):016x}",
        "place_task": f"{place:016x}",
        "place_row": f"{int(row_keys(place, row, example['repeat'])[0]):016x}",
    }
