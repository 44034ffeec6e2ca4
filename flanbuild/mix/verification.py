"""Compares a mixture folder with its manifest, byte by byte."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.files import digest_of, read_json, sha256_of
from flanbuild.errors import ArtifactError
from flanbuild.mix.card import card
from flanbuild.mix.manifest import FORMAT, NAME


def verify(folder: Path, rendered: Path | None = None) -> list[str]:
    """Everything that differs from the manifest, a sentence each; empty when all is as it says.

    Reads every shard. With `rendered`, held-out evaluation files are checked too.
    Raises ArtifactError when there is no readable manifest to compare with.
    """
    record = read_json(folder / NAME)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise ArtifactError(f"{folder / NAME}: not a manifest of format {FORMAT}.")
    faults = []
    if digest_of({key: value for key, value in record.items() if key != "digest"}) != record.get("digest"):
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


def _shard_faults(path: Path, said: Mapping[str, Any]) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}: missing."
        return
    if sha256_of(path) == said["sha256"]:
        return
    try:
        table = read_table(path)
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
            elif sha256_of(path) != said["sha256"]:
                yield f"{path}: not the evaluation file that was held out."
