"""Where a published mixture comes from, as an in-toto Statement v1 with a SLSA provenance predicate.

Subjects are all published files but the statement itself, its signature and export.json; dependencies are the locked sources of the tasks that give examples.
"""

import re
from collections.abc import Mapping
from typing import Any

from flanbuild.artifacts.records import Digest, Manifest, SourceRecord

STATEMENT = "provenance.intoto.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def statement(manifest: Manifest, files: Mapping[str, Digest]) -> dict[str, Any]:
    """The statement about files, path -> sha256. Nothing in it depends on the clock or the machine."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(files.items())],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:flanbuild:mixture:1",
                "externalParameters": {"mixture": manifest.mixture, "holdout": list(manifest.holdout)},
                "internalParameters": {"mixtureDigest": manifest.digest},
                "resolvedDependencies": [
                    _dependency(name, task.source, task.declaration)
                    for name, task in sorted(manifest.tasks.items())
                    if task.given
                ],
            },
            "runDetails": {
                "builder": {"id": "urn:flanbuild", "version": dict(sorted(manifest.versions.items()))},
                "metadata": {"invocationId": manifest.digest},
            },
        },
    }


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
