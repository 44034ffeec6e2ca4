"""What a mixture folder says of itself, and whether it is true."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from flanbuild.artifacts.digests import RowsDigest
from flanbuild.artifacts.files import digest_of, sha256_of
from flanbuild.declare.mixture import HeldOut, Mixture

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
        "licenses": _licenses(shares, records),
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
        "sha256": sha256_of(path),
        "rows_xxh128": digest.hexdigest(),
    }


def _licenses(shares: Sequence[Any], records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """By license, as the pages state them: the tasks that give examples, and how many."""
    found: dict[str, Any] = {}
    for share in shares:
        if share.count:
            license = records[share.task]["source"]["license"]
            said = found.setdefault(license, {"tasks": [], "given": 0})
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
        "license": record["source"]["license"],
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


def _digest(record: Mapping[str, Any]) -> str:
    return digest_of(dict(record))
