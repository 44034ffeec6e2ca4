"""Where a published mixture or model comes from, as an in-toto Statement v1 with a SLSA provenance predicate.

Subjects are all published files but the statement itself, its signature and export.json; dependencies are the locked sources of the tasks that give examples.
"""

import re
from collections.abc import Mapping
from typing import Any

from flanbuild.artifacts.records import Digest, Manifest, SourceRecord
from flanbuild.model.record import ModelRef, TrainingRecord

STATEMENT = "provenance.intoto.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def statement(manifest: Manifest, files: Mapping[str, Digest]) -> dict[str, Any]:
    """The statement about the files of a mixture, path -> sha256. Nothing in it depends on the clock or the machine."""
    definition = {
        "buildType": "urn:flanbuild:mixture:1",
        "externalParameters": {"mixture": manifest.mixture, "holdout": list(manifest.holdout)},
        "internalParameters": {"mixtureDigest": manifest.digest},
        "resolvedDependencies": [
            _dependency(name, task.source, task.declaration)
            for name, task in sorted(manifest.tasks.items())
            if task.given
        ],
    }
    return _statement(files, definition, manifest.versions, manifest.digest)


def model_statement(training: TrainingRecord, files: Mapping[str, Digest]) -> dict[str, Any]:
    """The statement about the files of a trained model, whose dependencies are the mixture and the base model."""
    mixture = {
        "name": f"mixture {training.mixture.name}",
        "uri": f"urn:flanbuild:mixture:{training.mixture.digest}",
        "digest": {"sha256": training.mixture.digest},
    }
    definition = {
        "buildType": "urn:flanbuild:model:1",
        "externalParameters": {"config": training.config, "holdout": list(training.holdout)},
        "internalParameters": {"tokenizerDigest": training.tokenizer},
        "resolvedDependencies": [mixture, *_base_model(training.base)],
    }
    return _statement(files, definition, training.environment.versions, training.checksum)


def _statement(
    files: Mapping[str, Digest], definition: dict[str, Any], versions: Mapping[str, str], run: str
) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": definition,
            "runDetails": {
                "builder": {"id": "urn:flanbuild", "version": dict(sorted(versions.items()))},
                "metadata": {"invocationId": run},
            },
        },
    }


def _base_model(base: ModelRef) -> list[dict[str, Any]]:
    """The model before training; none for a small model, which starts from random weights of a seed."""
    if base.kind == "hub":
        commit = {"digest": {"gitCommit": base.revision}} if base.revision else {}
        revision = f"/tree/{base.revision}" if base.revision else ""
        return [{"name": "base model", "uri": f"https://huggingface.co/{base.name}{revision}", **commit}]
    if base.digest is None:
        return []
    return [
        {
            "name": "base model",
            "uri": f"urn:flanbuild:model:{base.digest}",
            "digest": {"sha256": base.digest},
        }
    ]


def source_uri(source: SourceRecord) -> str:
    """The page of a source on the hub, at its commit; a URN for rows that are not from the hub."""
    if source.kind == "hub" or _COMMIT.fullmatch(source.commit):
        revision = f"/tree/{source.commit}" if source.commit else ""
        return f"https://huggingface.co/datasets/{source.repo}{revision}"
    return f"urn:flanbuild:{source.kind}:{source.repo}"


def _dependency(task: str, source: SourceRecord, declaration: str) -> dict[str, Any]:
    commit = {"gitCommit": source.commit} if _COMMIT.fullmatch(source.commit) else {}
    return {
        "name": task,
        "uri": source_uri(source),
        "digest": {**commit, "sha256": source.digest},
        "annotations": {"config": source.config, "license": source.license, "declaration": declaration},
    }
