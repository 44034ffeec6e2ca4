"""How two mixtures differ: what they declare, which examples they hold, and which of the one made the other.

Examples are compared by who they are (task, row, repeat), what they say, and their order among those that both
have. Nothing is rebuilt: manifests say what was declared, shards what is in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flanbuild.artifacts.records import MANIFEST, Manifest, read_record
from flanbuild.read import load

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")
_BY_KEY = {
    "seed": ("added", "removed", "rerendered", "moved"),
    "cap": ("added", "removed"),
    "rate": ("added", "removed"),
    "size": ("added", "removed", "rerendered"),
    "contamination": ("added", "removed"),
    "templates_per_example": ("added", "removed", "rerendered"),
    "templates": ("rerendered",),
    "style": ("rerendered",),
    "separator": ("rerendered",),
}
"""The keys of a mixture by what they do to the rows of a task that both mixtures train on."""
_REPEATS = 1 << 31
_SHORT = 12

Places = NDArray[np.int64]


@dataclass(frozen=True)
class ChangedKey:
    """One thing that two manifests say differently. `where` is `mixture`, `holdout` or a task."""

    where: str
    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.key} {self.values()}"

    def values(self) -> str:
        """As `30000 → 100`."""
        return f"{_show(self.before)} → {_show(self.after)}"


@dataclass
class RowChanges:
    """Examples of one task in one split: only in B, only in A, with another text, in another order.

    `moved` ones may be re-rendered too.
    """

    task: str
    split: str
    added: int = 0
    removed: int = 0
    rerendered: int = 0
    moved: int = 0
    templates: list[int] = field(default_factory=list)
    """numbers of the templates under which examples have another text, if the others gave the same"""
    causes: list[str] = field(default_factory=list)

    def kinds(self) -> tuple[str, ...]:
        """What there is any of."""
        return tuple(kind for kind in ("added", "removed", "rerendered", "moved") if getattr(self, kind))


@dataclass(frozen=True)
class Difference:
    """Empty for mixtures that declare the same and hold the same examples in the same order."""

    declared: tuple[ChangedKey, ...]
    rows: tuple[RowChanges, ...]

    def __bool__(self) -> bool:
        return bool(self.declared or self.rows)

    def document(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "declared": [vars(one) for one in self.declared],
            "rows": [vars(one) for one in self.rows],
        }


def compare(before: Path, after: Path) -> Difference:
    """Reads both manifests and every shard of both; memory holds some 40 bytes an example."""
    manifests = read_record(before / MANIFEST, Manifest), read_record(after / MANIFEST, Manifest)
    found = tuple(declared(*manifests))
    rows = [
        rows
        for split in SPLITS
        for rows in _rows(
            _examples(before, manifests[0], split), _examples(after, manifests[1], split), split
        )
    ]
    for changed in rows:
        changed.causes += _causes(changed, found, *manifests)
    return Difference(found, tuple(rows))


def of_mixtures(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ChangedKey]:
    """Keys of two mixtures as manifests have them."""
    yield from _differing("mixture", _flat(before), _flat(after))


def declared(before: Manifest, after: Manifest) -> Iterator[ChangedKey]:
    """What two manifests declare otherwise, and what came of it, but for the counts of examples."""
    yield from of_mixtures(before.mixture, after.mixture)
    yield from _differing("holdout", {"holdout": before.holdout}, {"holdout": after.holdout})
    for name in sorted(before.tasks.keys() | after.tasks.keys()):
        yield from _differing(name, _of_task(name, before), _of_task(name, after))


@dataclass(frozen=True)
class _Examples:
    """Of each example of a split in its order: task (a number of `tasks`), row and repeat as one number, text as a hash."""

    tasks: list[str]
    task: NDArray[np.int16]
    identity: NDArray[np.int64]
    text: NDArray[np.uint64]
    template: NDArray[np.int32]

    def places(self, task: str) -> Places:
        """Where the task's examples stand, in the order of their identity."""
        places = (
            np.flatnonzero(self.task == self.tasks.index(task))
            if task in self.tasks
            else np.empty(0, np.int64)
        )
        return places[np.argsort(self.identity[places], kind="stable")]


def _differing(where: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ChangedKey]:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield ChangedKey(where, key, before.get(key), after.get(key))


def _of_task(name: str, manifest: Manifest) -> dict[str, Any]:
    """What was declared of a task and what came of it, but for the counts of its examples."""
    task = manifest.tasks.get(name)
    if task is None:
        return {"in": "not a task of it"}
    facts: dict[str, Any] = {"in": task.out or "yes", "declaration": task.declaration}
    facts |= {f"source.{key}": value for key, value in task.source.model_dump().items()}
    return facts | task.model_dump(include={"available", "dropped", "removed", "missing"})


def _flat(value: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Nested keys as `rate.max`."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{above}{key}.") if isinstance(inner, Mapping) else {above + key: inner}
    return flat


def _examples(folder: Path, manifest: Manifest, split: Split) -> _Examples:
    tasks = sorted(manifest.tasks)
    number = pl.Enum(tasks)
    columns: list[tuple[NDArray[Any], ...]] = [
        (
            np.empty(0, np.int16),
            np.empty(0, np.int64),
            np.empty(0, np.uint64),
            np.empty(0, np.int32),
        )
    ]
    for batch in load(folder, split).batches():
        frame = pl.DataFrame(pl.from_arrow(batch)).select(
            pl.col("task").cast(number).to_physical().cast(pl.Int16),
            identity=pl.col("row") * _REPEATS + pl.col("repeat"),
            # Compared within this process only: between versions of polars its hash differs.
            text=pl.struct("prompt", "completion", "template", pl.col("options").list.join("\x1f")).hash(),
            template=pl.col("template").cast(pl.Int32),
        )
        columns.append(tuple(frame[name].to_numpy() for name in frame.columns))
    task, identity, text, template = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return _Examples(tasks, task, identity, text, template)


def _rows(before: _Examples, after: _Examples, split: str) -> Iterator[RowChanges]:
    """Task by task: whose identity both have, and of those whose text differs and whose order."""
    found: dict[str, RowChanges] = {}
    common: dict[str, tuple[Places, Places]] = {}
    for task in sorted({*before.tasks, *after.tasks}):
        old, new = before.places(task), after.places(task)
        _, in_old, in_new = np.intersect1d(
            before.identity[old], after.identity[new], assume_unique=True, return_indices=True
        )
        common[task] = old[in_old], new[in_new]
        other = before.text[common[task][0]] != after.text[common[task][1]]
        found[task] = RowChanges(
            task, split, len(new) - len(in_new), len(old) - len(in_old), int(other.sum())
        )
        found[task].templates = _templates(before.template[old[in_old]], after.template[new[in_new]], other)
    for task, moved in _moved(common).items():
        found[task].moved = moved
    yield from (rows for rows in found.values() if rows.kinds())


def _templates(old: NDArray[np.int32], new: NDArray[np.int32], other: NDArray[np.bool_]) -> list[int]:
    """The templates of the examples whose text differs; none if examples changed their template, or all templates did."""
    if (old != new).any() or not other.any():
        return []
    changed, same = set(old[other].tolist()), set(old[~other].tolist())
    return sorted(changed) if same - changed else []


def _moved(common: Mapping[str, tuple[Places, Places]]) -> dict[str, int]:
    """How many of the examples that both have stand at another rank among them."""
    old, new = (
        np.concatenate([pair[side] for pair in common.values()] or [np.empty(0, np.int64)]) for side in (0, 1)
    )
    same = np.argsort(np.argsort(old)) == np.argsort(np.argsort(new))
    cuts = np.cumsum([len(pair[0]) for pair in common.values()])[:-1]
    return (
        {task: int((~part).sum()) for task, part in zip(common, np.split(same, cuts), strict=True)}
        if common
        else {}
    )


def _causes(
    rows: RowChanges, declared: tuple[ChangedKey, ...], before: Manifest, after: Manifest
) -> list[str]:
    """What was declared otherwise and can have done this to the task's examples."""
    of_task = {one.key: one for one in declared if one.where == rows.task}
    if "in" in of_task:
        return [str(of_task["in"])]
    places = ", ".join(f"templates[{number}]" for number in rows.templates)
    under = f", seen in {places}" if places else ""
    found = [f"declaration of {rows.task} differs{under}"] if "declaration" in of_task else []
    found += [
        str(one) for key, one in of_task.items() if key in ("source.kind", "source.commit", "source.digest")
    ]
    keys = _keys_that_count(rows, before, after)
    found += [str(one) for one in declared if one.where == "mixture" and one.key.split(".")[0] in keys]
    if not found and "removed" in of_task:
        found = [str(of_task["removed"])]
    if not found and after.mixture["size"]["examples"] and set(rows.kinds()) <= {"added", "removed"}:
        found = ["other tasks take another part of size.examples"]
    return found or ["nothing that is declared; `flanbuild verify` tells damage"]


def _keys_that_count(rows: RowChanges, before: Manifest, after: Manifest) -> set[str]:
    """Keys of a mixture that can have done what was done.

    A cap counts only where it cuts, `contamination` only where rows were removed, and validation has no size.
    """
    keys = {key for key, kinds in _BY_KEY.items() if set(kinds) & set(rows.kinds())}
    if rows.split != "train":
        return keys - {"cap", "rate", "size", "contamination", "templates_per_example"}
    tasks = [manifest.tasks[rows.task] for manifest in (before, after)]
    without = {
        "cap": any(task.capped for task in tasks),
        "contamination": any(task.removed for task in tasks),
    }
    return keys - {key for key, counts in without.items() if not counts}


def _show(value: Any) -> str:
    """As YAML would have it; digests short."""
    if isinstance(value, str):
        return value[:_SHORT] if len(value) == 64 else value
    if isinstance(value, list | tuple):
        return ", ".join(map(_show, value)) or "nothing"
    return "nothing" if value is None else str(value)
