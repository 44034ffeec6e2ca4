"""The metadata of a published mixture in Croissant 1.1, over its Parquet files, with its sources by PROV-O."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanbuild.artifacts.arrow import TRAIN_SCHEMA
from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import Manifest
from flanbuild.export.licenses import license_urls
from flanbuild.export.provenance import source_uri

_CITATION = "Jason Wei et al. Finetuned Language Models Are Zero-Shot Learners. ICLR 2022. https://arxiv.org/abs/2109.01652"
_CR_TERMS = [
    "citeAs",
    "column",
    "data",
    "dataType",
    "equivalentProperty",
    "examples",
    "extract",
    "field",
    "fileProperty",
    "fileObject",
    "fileSet",
    "format",
    "includes",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "separator",
    "source",
    "subField",
    "transform",
]
_TYPED_TERMS = {
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
}
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "prov": "http://www.w3.org/ns/prov#",
    "conformsTo": "dct:conformsTo",
    **{term: f"cr:{term}" for term in _CR_TERMS},
    **_TYPED_TERMS,
}


def croissant(manifest: Manifest, folder: Path, files: Sequence[Path], date: str) -> dict[str, Any]:
    """The JSON-LD of the dataset: its files with their digests, and a record set for each split."""
    splits = [split for split in manifest.rows if manifest.rows[split]]
    tasks = [task for task in manifest.tasks.values() if task.given]
    held_out = ", ".join(manifest.holdout) or "nothing"
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": manifest.name,
        "description": f"Instruction-tuning mixture of {len(tasks)} tasks with {held_out} held out.",
        "url": f"urn:flanbuild:mixture:{manifest.digest}",
        "version": "1.0.0",
        "datePublished": date,
        "license": license_urls(manifest.licenses) or ["urn:license:unknown"],
        "citeAs": _CITATION,
        "prov:wasDerivedFrom": [{"@id": uri} for uri in sorted({source_uri(task.source) for task in tasks})],
        "distribution": [*(_file(path, folder) for path in files), *map(_file_set, splits)],
        "recordSet": [_records(split) for split in splits],
    }


def _file(path: Path, folder: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": sha256_of(path),
    }


def _file_set(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{split}-files",
        "name": f"{split}-files",
        "encodingFormat": "application/x-parquet",
        "includes": f"{split}/*.parquet",
    }


def _records(split: str) -> dict[str, Any]:
    """The record set of a split, whose fields come from all its files."""
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split}/{field.name}",
                "name": f"{split}/{field.name}",
                "dataType": "sc:Integer" if pa.types.is_integer(field.type) else "sc:Text",
                **({"repeated": True} if pa.types.is_list(field.type) else {}),
                "source": {"fileSet": {"@id": f"{split}-files"}, "extract": {"column": field.name}},
            }
            for field in TRAIN_SCHEMA
        ],
    }
