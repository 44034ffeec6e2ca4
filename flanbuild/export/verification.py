"""Compares an exported folder with its record, byte by byte, also after it was uploaded and downloaded again."""

import json
from pathlib import Path
from typing import Any

from flanbuild.artifacts.files import read_json, sha256_of
from flanbuild.artifacts.records import MANIFEST, TRAINING, Manifest, read_record
from flanbuild.export.provenance import STATEMENT, model_statement, statement
from flanbuild.export.record import EXPORT, ExportRecord
from flanbuild.export.signing import ENVELOPE, signature_faults
from flanbuild.mix.verification import added_by_hub
from flanbuild.model.record import TrainingRecord


def verify_export(folder: Path, public_key: Path | None = None) -> list[str]:
    """Everything that differs from `export.json`, a sentence each; empty when nothing does.

    A published folder is also compared with the manifest and the statement of provenance in it. What a hub adds,
    `.gitattributes` and `.cache/`, is no difference. With a file of a public key, the statement must be signed with its
    private key. Raises ArtifactError when there is no readable record, DeclarationError for a file that is no public key.
    """
    record = read_record(folder / EXPORT, ExportRecord)
    faults = []
    for name, digest in record.files.items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{path}: missing.")
        elif sha256_of(path) != digest:
            faults.append(f"{path}: its bytes are not those that {EXPORT} names.")
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    unnamed = sorted(present - {EXPORT, *record.files})
    faults += [f"{folder / name}: not named by {EXPORT}." for name in unnamed if not added_by_hub(name)]
    if STATEMENT in record.files and not faults:
        faults += _provenance_faults(folder, record)
    if public_key:
        faults += signature_faults(folder, public_key)
    return faults


def _provenance_faults(folder: Path, record: ExportRecord) -> list[str]:
    """Whether the statement is the one that follows from the manifest, or the record of training, and the files."""
    manifest = read_record(folder / MANIFEST, Manifest)
    if manifest.digest != manifest.identity() or manifest.digest != record.mixture.digest:
        return [f"{folder / MANIFEST}: not the manifest of the mixture that {EXPORT} names."]
    files = {name: digest for name, digest in record.files.items() if name not in (STATEMENT, ENVELOPE)}
    if TRAINING in files:
        expected = model_statement(read_record(folder / TRAINING, TrainingRecord), files)
    else:
        expected = statement(manifest, files)
    if _canonical(read_json(folder / STATEMENT)) != _canonical(expected):
        return [f"{folder / STATEMENT}: it states other files or sources than the manifest and the folder."]
    return []


def _canonical(value: Any) -> str:
    """The value as JSON, in which a tuple and a list are equal."""
    return json.dumps(value, sort_keys=True)
