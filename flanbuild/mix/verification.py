"""Compares a mixture folder with its manifest, byte by byte."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import (
    MANIFEST,
    RECORD,
    EvaluationRecord,
    Manifest,
    Shard,
    read_record,
)
from flanbuild.errors import ArtifactError
from flanbuild.mix.card import CARD, card
from flanbuild.progress import log

_SHOWN = 5


def verify(folder: Path, evaluation: Path | None = None) -> list[str]:
    """Everything that differs from the manifest, a sentence each; empty when nothing does.

    Reads every shard. With `evaluation`, the root of evaluation sets, those of held-out tasks are checked too: whether
    they are made of the rows that the mixture holds out. Raises ArtifactError when there is no readable manifest.

    What a hub adds to an uploaded folder is no difference, and one log line names it: `.gitattributes`, `.cache/`, and
    further keys in the header of the card.
    """
    manifest = read_record(folder / MANIFEST, Manifest)
    faults = []
    if manifest.digest != manifest.identity():
        faults.append(f"{folder / MANIFEST}: its digest is not that of its content.")
    named = {MANIFEST, CARD}
    for shard in (shard for split in manifest.shards.values() for shard in split):
        named.add(shard.path)
        faults += _shard_faults(folder / shard.path, shard)
    keys = _added_keys(folder / CARD, card(manifest))
    if keys is None:
        faults.append(f"{folder / CARD}: not the card that the manifest gives.")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    others = sorted(present - named)
    faults += [f"{folder / name}: not named by the manifest." for name in others if not added_by_hub(name)]
    if added := [*filter(added_by_hub, others), *(f"key '{key}' of {CARD}" for key in keys or ())]:
        log(f"{folder}: not compared, since a hub adds it: {_shortened(added)}.")
    return faults + (list(_evaluation_faults(manifest, evaluation)) if evaluation else [])


def added_by_hub(name: str) -> bool:
    """Whether a hub, or its client in a folder that it downloads to, writes a file of this name."""
    return name == ".gitattributes" or name.startswith(".cache/")


def _added_keys(path: Path, expected: str) -> list[str] | None:
    """The keys of the card's header that `expected` does not have; None if anything else differs."""
    if not path.is_file():
        return None
    found = path.read_text(encoding="utf-8", errors="replace")
    if found == expected:
        return []
    try:
        (header, body), (known, text) = _parts(found), _parts(expected)
    except (YAMLError, ValueError):
        return None
    if body != text or any(key not in header or header[key] != value for key, value in known.items()):
        return None
    return [str(key) for key in header if key not in known]


def _parts(text: str) -> tuple[dict[str, object], str]:
    """The YAML header between two lines `---`, and what follows it. Raises ValueError if there is none."""
    start, header, body = text.split("---\n", 2)
    keys = YAML(typ="safe", pure=True).load(header)
    if start or not isinstance(keys, dict):
        raise ValueError("no header")
    return keys, body


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _shard_faults(path: Path, shard: Shard) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}: missing."
        return
    if sha256_of(path) == shard.sha256:
        return
    try:
        table = read_table(path)
        table.validate(full=True)
        same_rows = table.num_rows == shard.rows and rows_digest(table) == shard.rows_digest
    except (ArtifactError, pa.ArrowInvalid, OSError):
        same_rows = False
    detail = "although its rows are equal" if same_rows else "and its rows differ"
    yield f"{path}: its bytes are not those that the manifest names, {detail}."


def _evaluation_faults(manifest: Manifest, root: Path) -> Iterator[str]:
    for group in manifest.held_out.values():
        for name, task in group.tasks.items():
            if not task.has_test or task.missing:
                continue
            path = task_folder(root, task.cluster, name) / RECORD
            try:
                record = read_record(path, EvaluationRecord)
            except ArtifactError as error:
                yield str(error)
                continue
            if record.source.digest != task.source_digest:
                yield f"{path}: made of other rows than those that the mixture holds out."
