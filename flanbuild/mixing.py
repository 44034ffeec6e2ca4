"""From rendered tasks to shards: allocate, order, gather.

The order is decided on numbers alone: each example (task, row, repeat) has a 64-bit key, the keys are sorted
once, and each shard gathers its texts from the memory-mapped rendered files. A shard is one piece of work.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flanbuild import executor, manifest, shards
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.keys import row_keys, task_key
from flanbuild.mixtures import HeldOut, Mixture
from flanbuild.sampling import allocate, rate

FORMAT = 1


@dataclass(frozen=True)
class Share:
    """What one task of the mixture gives, or why it gives nothing."""

    task: str
    cluster: str
    available: int
    """training rows upstream, before filter, carving and cap"""
    rows: int
    """training rows that can be drawn"""
    rate: int
    share: Fraction
    count: int
    out: str = ""

    @property
    def repeats(self) -> int:
        """How often the most repeated row comes again."""
        return max(0, -(-self.count // self.rows) - 1) if self.rows else 0


class _Name(NamedTuple):
    name: str
    dataset: str
    cluster: str


@dataclass(frozen=True)
class Part:
    """The examples of one task within a split: rows `index` of its rendered file, as their `repeat`-th time."""

    task: str
    dataset: str
    cluster: str
    path: str


def plan(
    mixture: Mixture, records: Mapping[str, Mapping[str, Any]], held: Mapping[str, HeldOut]
) -> list[Share]:
    """The exact allocation over rendered tasks (`records`: task.json by task), in task order."""
    trained = {name: record for name, record in records.items() if record["cluster"] not in held}
    rows = {name: record["splits"].get("train", {}).get("rows", 0) for name, record in trained.items()}
    counts = allocate(mixture, rows)
    total = sum(counts.values())
    shares = []
    for name, record in sorted(records.items()):
        train = record["splits"].get("train", {})
        kept = train.get("rows", 0)
        out = (
            held[record["cluster"]].rule if record["cluster"] in held else _no_rows(train) if not kept else ""
        )
        count = 0 if out else counts[name]
        shares.append(
            Share(
                task=name,
                cluster=record["cluster"],
                available=train.get("upstream", 0),
                rows=kept,
                rate=rate(mixture, kept),
                share=Fraction(count, total) if total else Fraction(0),
                count=count,
                out=out,
            )
        )
    return shares


def mix(
    mixture: Mixture,
    rendered: Path,
    records: Mapping[str, Mapping[str, Any]],
    held: Mapping[str, HeldOut],
    out: Path,
    *,
    jobs: int = 1,
    done: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Writes the mixture folder `out` from the tasks of `records` (task.json by name); returns its manifest.

    Raises DeclarationError when nothing is left to train on, or a task would repeat rows under a template they
    had before although others are left.
    """
    shares = plan(mixture, records, held)
    if not any(share.count for share in shares):
        raise DeclarationError(
            f"{mixture.path}: no task is left to train on once {', '.join(held)} is held out."
        )
    _check_versions(mixture, shares, records)
    with shards.staged(out) as staging:
        pieces = [
            *_pieces(mixture, "train", {s.task: s.count for s in shares}, records, rendered, staging),
            *_pieces(mixture, "validation", _validation_counts(shares, records), records, rendered, staging),
        ]
        described = executor.run(pieces, jobs=jobs, done=done)
        record = manifest.describe(mixture, held, shares, records, described, inputs(mixture, records, held))
        shards.write_json(staging / manifest.NAME, record)
        (staging / "README.md").write_text(manifest.card(record), encoding="utf-8")
    return record


def inputs(mixture: Mixture, records: Mapping[str, Mapping[str, Any]], held: Mapping[str, HeldOut]) -> str:
    """The digest of all that decides the mixture's bytes."""
    declared = mixture.model_dump(mode="json", exclude={"path"})
    rules = {name: [out.asked, out.rule] for name, out in held.items()}
    return shards.digest([FORMAT, declared, rules, {name: dict(record) for name, record in records.items()}])


def read_records(rendered: Path, mixture: Mixture) -> dict[str, dict[str, Any]]:
    """What task.json says, for each task below `rendered` that the mixture has, by name.

    Raises ArtifactError if there is none.
    """
    records = [shards.read_json(path) for path in sorted(rendered.rglob("task.json"))]
    if not records:
        raise ArtifactError(f"{rendered}: no rendered task; run `flanbuild render` or `dvc repro`.")
    by_name = {record["task"]: record for record in records}
    members = mixture.members(
        _Name(record["task"], record["dataset"], record["cluster"]) for record in records
    )
    return {name: by_name[name] for name in members}


def shard_count(mixture: Mixture, split: str) -> int:
    """Validation is small: one shard."""
    return mixture.shards if split == "train" else 1


def gather(
    path: str, parts: list[Part], of: NDArray[np.int16], index: NDArray[np.int32], repeat: NDArray[np.int16]
) -> dict[str, Any]:
    """Writes one shard: example i is row `index[i]` of the file of `parts[of[i]]`. Returns rows, bytes, digests."""
    order = np.argsort(of, kind="stable")
    sizes = np.bincount(of, minlength=len(parts))
    tables = []
    for part, rows in zip(parts, np.split(index[order], np.cumsum(sizes)[:-1]), strict=True):
        if len(rows):
            tables.append(shards.read_table(Path(part.path)).take(pa.array(rows)))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    text = (
        pa.concat_tables(tables).combine_chunks().take(pa.array(place))
        if tables
        else shards.RENDERED.empty_table()
    )
    columns = {name: text.column(name) for name in shards.RENDERED.names}
    for name in ("task", "dataset", "cluster"):
        columns[name] = pc.take(pa.array([getattr(part, name) for part in parts], pa.string()), pa.array(of))
    columns["repeat"] = pa.array(repeat)
    table = pa.table([columns[field.name].cast(field.type) for field in shards.TRAIN], schema=shards.TRAIN)
    shards.write_table(Path(path), table, rows_per_batch=shards.BATCH_ROWS)
    return manifest.describe_shard(Path(path), table)


def _pieces(
    mixture: Mixture,
    split: str,
    counts: Mapping[str, int],
    records: Mapping[str, Mapping[str, Any]],
    rendered: Path,
    out: Path,
) -> list[executor.Piece]:
    """One `gather` a shard."""
    parts: list[Part] = []
    of, index, repeat, keys = [], [], [], []
    for name in sorted(name for name, count in counts.items() if count):
        record = records[name]
        path = rendered / record["cluster"] / name / f"{split}.arrow"
        row, place, times = _drawn(path, record["splits"][split], counts[name])
        of.append(np.full(len(place), len(parts), np.int16))
        parts.append(Part(name, record["dataset"], record["cluster"], str(path)))
        index.append(place)
        repeat.append(times)
        keys.append(row_keys(task_key(mixture.seed, f"place {split}", name), row, times))
    order = np.argsort(np.concatenate(keys), kind="stable") if keys else np.empty(0, np.int64)
    columns = [
        np.concatenate(c)[order] if c else np.empty(0, t)
        for c, t in ((of, np.int16), (index, np.int32), (repeat, np.int16))
    ]
    count = shard_count(mixture, split)
    cuts = [len(order) * i // count for i in range(count + 1)]
    return [
        (
            gather,
            (
                str(out / f"{split}-{i:05}-of-{count:05}.arrow"),
                parts,
                *(column[cuts[i] : cuts[i + 1]] for column in columns),
            ),
        )
        for i in range(count)
    ]


def _drawn(
    path: Path, split: Mapping[str, Any], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int16]]:
    """(source row, place in the rendered file, repeat) of the task's `count` examples.

    Rows are drawn in keyed order until used up, then again under the next version, which is another template.
    """
    rows, versions = split["rows"], split.get("versions", 1)
    drawn = np.arange(count)
    repeat = drawn // rows
    place = (repeat % versions) * rows + drawn % rows
    source = shards.read_table(path).column("row").combine_chunks().to_numpy()
    return source[place], place.astype(np.int32), repeat.astype(np.int16)


def _validation_counts(shares: Sequence[Share], records: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """All validation rows of the tasks that are trained on."""
    return {s.task: records[s.task]["splits"].get("validation", {}).get("rows", 0) for s in shares if s.count}


def _no_rows(train: Mapping[str, Any]) -> str:
    if not train:
        return "evaluation only: the page has no train split"
    if "missing" in train:
        return f"missing at the source: {', '.join(train['missing'])}"
    return "no row is left after filtering"


def _check_versions(
    mixture: Mixture, shares: Sequence[Share], records: Mapping[str, Mapping[str, Any]]
) -> None:
    faults = []
    for share in shares:
        rendered = records[share.task]["splits"]["train"]["versions"] if share.count else 1
        most = min(mixture.templates, records[share.task]["templates"])
        if min(share.repeats + 1, most) > rendered:
            faults.append(
                f"{mixture.path}: size: {share.task} is asked for {share.count:,} examples and has {share.rows:,} rows under "
                f"{rendered} template(s); set size.versions to {min(share.repeats + 1, most)}."
            )
    if faults:
        raise DeclarationError(*faults)
