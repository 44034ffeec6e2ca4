"""A mixture as a dataset repository: Parquet, a dataset card, Croissant, a statement of provenance, and its manifest.

    flanbuild publish data/mixtures/flan2021-without-nli exports/hub --date 2026-11-26

`load_dataset` and the hub's viewer read `train/*.parquet`. `flanbuild verify` compares the folder with its records, also
after an upload and a download.
"""

import re
import shutil
from collections.abc import Iterable
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flanbuild.artifacts.files import sha256_of, write_json
from flanbuild.artifacts.records import MANIFEST, Manifest, MixtureTask, read_record
from flanbuild.declare.views import DATE
from flanbuild.errors import DeclarationError
from flanbuild.export import text
from flanbuild.export.croissant import croissant
from flanbuild.export.licenses import OTHER, hub_ids
from flanbuild.export.provenance import STATEMENT, statement
from flanbuild.export.references import arxiv_tags, dataset_pages, reference_lines
from flanbuild.export.signing import sign
from flanbuild.export.view import ExportRequest, Written
from flanbuild.mix.card import CARD, card
from flanbuild.progress import Progress

CROISSANT = "croissant.json"
_CATEGORIES = {
    "closed_book_qa": "question-answering",
    "commonsense": "multiple-choice",
    "nli": "text-classification",
    "paraphrase": "text-classification",
    "reading_comprehension": "question-answering",
    "reading_comprehension_commonsense": "question-answering",
    "sentiment": "text-classification",
    "struct_to_text": "text-generation",
    "summarization": "summarization",
    "translation": "translation",
}
"""Cluster -> the hub's task category; every mixture is text-generation too."""
_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)


def write(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes the repository. The date of publication is given, so that equal inputs give equal bytes."""
    if request.date is None or not re.fullmatch(DATE, request.date):
        raise DeclarationError(f"--date: found {request.date}, expected YYYY-MM-DD.")
    manifest = read_record(request.mixture / MANIFEST, Manifest)
    written = text.parquet(request, folder, progress)
    shutil.copyfile(request.mixture / MANIFEST, folder / MANIFEST)
    files = sorted(folder.rglob("*.parquet"))
    (folder / CARD).write_text(_card(manifest, files), encoding="utf-8")
    write_json(folder / CROISSANT, croissant(manifest, folder, files, request.date))
    stated = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {path.relative_to(folder).as_posix(): sha256_of(path) for path in stated}
    write_json(folder / STATEMENT, statement(manifest, digests))
    if request.sign:
        sign(folder, request.sign)
    return Written(splits=written.splits, settings={"date": request.date})


def _card(manifest: Manifest, files: Iterable[Path]) -> str:
    """The keys of the hub's dataset card, and the text of the mixture's own card."""
    tasks = [task for task in manifest.tasks.values() if task.given]
    licenses = hub_ids(manifest.licenses)
    sizes = {split: sum(p.stat().st_size for p in files if p.parent.name == split) for split in manifest.rows}
    other = (
        {"license_name": "by-task", "license_link": f"{CARD}#{manifest.name}"} if OTHER in licenses else {}
    )
    own: dict[str, Any] = _header(card(manifest))
    pages = dataset_pages(manifest)
    keys = {
        "pretty_name": f"{manifest.name}, {', '.join(manifest.holdout) or 'nothing'} held out",
        "license": licenses or ["unknown"],
        **other,
        "language": languages(tasks),
        "task_categories": sorted(
            {"text-generation"} | {_CATEGORIES[task.cluster] for task in tasks if task.cluster in _CATEGORIES}
        ),
        "size_categories": [
            next((name for limit, name in _SIZES if sum(manifest.rows.values()) < limit), "n>10M")
        ],
        "tags": ["instruction-tuning", "flanbuild", *arxiv_tags(pages.values())],
        "source_datasets": sorted({task.source.repo for task in tasks}),
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"{split}/*.parquet"}
                    for split in manifest.rows
                    if manifest.rows[split]
                ],
            }
        ],
        "dataset_info": {
            **own["dataset_info"],
            "download_size": sum(sizes.values()),
            "dataset_size": sum(split["num_bytes"] for split in own["dataset_info"]["splits"]),
        },
    }
    stream = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(keys, stream)
    body = card(manifest).split("---\n", 2)[2]
    return f"---\n{stream.getvalue()}---\n{body}" + "\n".join([*reference_lines(pages), ""])


def _header(text_of_card: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(text_of_card.split("---\n", 2)[1])
    return loaded


def languages(tasks: Iterable[MixtureTask]) -> list[str]:
    """English, and the languages that the configs of translation datasets name: `cs-en`, `enes`."""
    configs = [task.source.config.replace("-", "") for task in tasks if task.cluster == "translation"]
    pairs = [config for config in configs if len(config) == 4]
    return sorted({"en"} | {code for pair in pairs for code in (pair[:2], pair[2:])})
