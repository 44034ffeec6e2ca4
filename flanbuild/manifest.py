"""What a mixture folder says of itself, and whether it is true."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import xxhash

from flanbuild import shards
from flanbuild.errors import ArtifactError
from flanbuild.mixtures import HeldOut, Mixture

NAME = "manifest.json"
FORMAT = 2


class Allocated(Protocol):
    """What the manifest asks of a task's share (mixing.Share)."""

    task: str
    cluster: str
    available: int
    rows: int
    rate: int
    count: int
    out: str

    @property
    def repeats(self) -> int:
        """How often the most repeated row comes again."""


def describe(
    mixture: Mixture,
    held: Mapping[str, HeldOut],
    shares: Sequence[Any],
    records: Mapping[str, Mapping[str, Any]],
    leaks: Sequence[Any],
    written: Sequence[Mapping[str, Any]],
    inputs: str,
) -> dict[str, Any]:
    """The manifest: nothing in it depends on the clock, the host or the folder."""
    files = {
        split: [dict(w) for w in written if w["path"].startswith(f"{split}-")]
        for split in ("train", "validation")
    }
    record = {
        "format": FORMAT,
        "mixture": mixture.model_dump(mode="json", exclude={"path"}),
        "holdout": [name for name, out in held.items() if out.asked],
        "held_out": {name: _held_out(out, records) for name, out in held.items()},
        "tasks": {share.task: _task(share, records[share.task]) for share in shares},
        "licences": _licences(shares, records),
        "leaks": {"rule": mixture.leaks, "found": [leak.document() for leak in leaks]},
        "shards": files,
        "rows": {split: sum(file["rows"] for file in described) for split, described in files.items()},
        "inputs": inputs,
    }
    return record | {"digest": _digest(record)}


def describe_shard(path: Path, digest: "RowsDigest") -> dict[str, Any]:
    """A shard's rows, bytes, and two digests: of the file, and of the rows whatever wrote them."""
    return {
        "path": path.name,
        "rows": digest.rows,
        "bytes": path.stat().st_size,
        "sha256": shards.sha256(path),
        "rows_xxh128": digest.hexdigest(),
    }


class RowsDigest:
    """xxh3 over rows column by column, lengths and values apart: not the layout of a file, nor how rows are cut.

    So rows can come in tables of any size. It tells equal rows that another compressor wrote; what guards the
    file is its sha256.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._streams: dict[str, Any] = {}

    def update(self, table: pa.Table) -> None:
        """Goes on with the table's rows."""
        for name in table.schema.names:
            for chunk in table.column(name).chunks:
                for stream, values in _streams(chunk, name):
                    if len(values):
                        self._streams.setdefault(stream, xxhash.xxh3_128()).update(values)
        self.rows += table.num_rows

    def hexdigest(self) -> str:
        """Of the rows so far."""
        return shards.digest([self.rows, {name: of.hexdigest() for name, of in self._streams.items()}])


def rows_digest(table: pa.Table) -> str:
    """The digest of one table's rows."""
    digest = RowsDigest()
    digest.update(table)
    return digest.hexdigest()


def verify(folder: Path, rendered: Path | None = None) -> list[str]:
    """Everything that differs from the manifest, a sentence each; empty when all is as it says.

    Reads every shard. With `rendered`, held-out evaluation files are checked too.
    Raises ArtifactError when there is no readable manifest to compare with.
    """
    record = shards.read_json(folder / NAME)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ArtifactError(f"{folder / NAME}: not a manifest of format {FORMAT}.")
    faults = []
    if _digest({key: value for key, value in record.items() if key != "digest"}) != record.get("digest"):
        faults.append(f"{folder / NAME}: its own digest does not match; it was edited or damaged.")
    named = {NAME, "README.md"}
    for said in (said for split in record["shards"].values() for said in split):
        named.add(said["path"])
        faults += _shard_faults(folder / Path(said["path"]).name, said)
    if not (folder / "README.md").is_file() or (folder / "README.md").read_text(encoding="utf-8") != card(
        record
    ):
        faults.append(f"{folder / 'README.md'}: not the card that the manifest gives.")
    faults += [
        f"{path}: not named by the manifest." for path in sorted(folder.iterdir()) if path.name not in named
    ]
    return faults + (list(_evaluation_faults(record, rendered)) if rendered else [])


def card(record: Mapping[str, Any]) -> str:
    """README.md: a dataset card whose `configs` make `load_dataset(folder)` find the splits."""
    splits = [split for split, files in record["shards"].items() if any(file["rows"] for file in files)]
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split in splits:
        lines += [f"  - split: {split}", f"    path: {split}-*.arrow"]
    holdout = ", ".join(record["holdout"]) or "nothing"
    lines += ["---", "", f"# {record['mixture']['name']}, {holdout} held out", ""]
    lines += [
        f"{record['rows']['train']:,} training and {record['rows']['validation']:,} validation examples.",
        "",
    ]
    lines += [
        "`prompt` + `completion` is the training text. What is in here, and what is not and why, row by row:",
        "",
    ]
    lines += [
        "| task | cluster | licence | rows | given | repeats | out because |",
        "|---|---|---|--:|--:|--:|---|",
    ]
    for name, task in record["tasks"].items():
        cells = (
            name,
            task["cluster"],
            task["licence"],
            f"{task['rows']:,}",
            f"{task['given']:,}",
            task["repeats"],
            task["out"],
        )
        lines.append("| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |")
    lines += ["", "| licence | tasks | given |", "|---|---|--:|"]
    for licence, said in record["licences"].items():
        lines.append(f"| {licence.replace('|', '/')} | {', '.join(said['tasks'])} | {said['given']:,} |")
    return "\n".join([*lines, ""])


def _licences(shares: Sequence[Any], records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """By licence, as the pages state them: the tasks that give examples, and how many."""
    found: dict[str, Any] = {}
    for share in shares:
        if share.count:
            licence = records[share.task]["source"]["licence"]
            said = found.setdefault(licence, {"tasks": [], "given": 0})
            said["tasks"].append(share.task)
            said["given"] += share.count
    return dict(sorted(found.items()))


def _held_out(out: HeldOut, records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    tasks = {}
    for name in out.tasks:
        record = records[name]
        test = record["splits"].get("test", {})
        evaluation = None
        if test.get("examples"):
            path = f"{record['cluster']}/{name}/test.arrow"
            evaluation = {"path": path, "rows": test["examples"], "sha256": test["sha256"]}
        tasks[name] = {"type": record["type"], "metrics": record["metrics"], "evaluation": evaluation}
        if "missing" in test:
            tasks[name]["missing"] = test["missing"]
    return {"asked": out.asked, "rule": out.rule, "tasks": tasks}


def _task(share: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    train = record["splits"].get("train", {})
    return {
        "cluster": share.cluster,
        "dataset": record["dataset"],
        "declaration": record["declaration"],
        "licence": record["source"]["licence"],
        "source": record["source"],
        "available": share.available,
        "dropped": train.get("dropped", {}),
        "to_other_splits": train.get("to_other_splits", 0),
        "capped": train.get("capped", 0),
        "leaked": share.leaked,
        "rows": share.rows,
        "rate": share.rate,
        "asked": share.count,
        "given": share.count,
        "repeats": share.repeats,
        "missing": sorted({name for split in record["splits"].values() for name in split.get("missing", [])}),
        "out": share.out,
    }


def _shard_faults(path: Path, said: Mapping[str, Any]) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}: missing."
        return
    if shards.sha256(path) == said["sha256"]:
        return
    try:
        table = shards.read_table(path)
        table.validate(full=True)
        same_rows = table.num_rows == said["rows"] and rows_digest(table) == said["rows_xxh128"]
    except (ArtifactError, pa.ArrowInvalid, OSError):
        same_rows = False
    yield f"{path}: its bytes are not those of the manifest" + (
        ", though its rows are." if same_rows else ", nor are its rows."
    )


def _evaluation_faults(record: Mapping[str, Any], rendered: Path) -> Iterator[str]:
    for out in record["held_out"].values():
        for task in out["tasks"].values():
            if (said := task["evaluation"]) is None:
                continue
            path = rendered / said["path"]
            if not path.is_file():
                yield f"{path}: missing."
            elif shards.sha256(path) != said["sha256"]:
                yield f"{path}: not the evaluation file that was held out."


def _digest(record: Mapping[str, Any]) -> str:
    return shards.digest(dict(record))


def _streams(array: pa.Array, name: str) -> Iterator[tuple[str, bytes | memoryview]]:
    """(stream, bytes): the same for any offset or chunking. A null text or list has the length -1."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_list(kind):
        offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
        lengths = np.diff(offsets)
        if array.null_count:
            lengths = np.where(array.is_valid().to_numpy(zero_copy_only=False), lengths, -1)
            array = array.fill_null("") if pa.types.is_string(kind) else array
        yield f"{name} lengths", lengths.astype("<i4").tobytes()
        if pa.types.is_list(kind):
            yield from _streams(array.flatten(), f"{name} item")
        else:
            yield f"{name} values", _text(array)
    else:
        values = array.fill_null(0).to_numpy()
        yield f"{name} values", values.astype(values.dtype.newbyteorder("<")).tobytes()


def _text(array: pa.StringArray) -> memoryview:
    """The bytes of all strings, one after the other."""
    _, offsets, text = array.buffers()
    first, last = np.frombuffer(offsets, np.int32)[[array.offset, array.offset + len(array)]]
    return memoryview(text or b"")[first:last]
