"""One self-contained HTML page of a mixture: what is in it, from where, how much of each, and rows to read.

    explore(folder, out, tasks=load_tasks([...]), raw=Path("data/raw"))

All numbers come from the manifest or are counted from the shards. Equal mixtures give equal bytes.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flanbuild.artifacts.addresses import mixture_folder
from flanbuild.artifacts.files import atomic_path, disk_errors
from flanbuild.artifacts.records import Manifest
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, require
from flanbuild.inspect import samples, summary
from flanbuild.inspect.contents import by_cluster, contents
from flanbuild.page.frame import page
from flanbuild.progress import Progress, silent
from flanbuild.read import Examples, load

ROWS = 8
"""Sampled rows of a task."""
_SCRIPT = Path(__file__).with_name("explore.js")
_SECTIONS = {
    "flow": "Shares",
    "held-out": "Held out",
    "lengths": "Lengths",
    "templates": "Templates",
    "licenses": "Licenses",
    "contamination": "Contamination",
    "rows": "Rows",
    "origins": "Origins and prompts",
    "difference": "Difference",
}
_SOURCES = {
    "files": "Local files.",
    "mirror": "A mirror folder, which may hold a part of the rows of a dataset.",
    "sample": "The embedded sample world, not the real datasets that the tasks are named after.",
}


def explore(
    folder: Path,
    out: Path,
    *,
    tasks: Mapping[str, Task],
    raw: Path,
    against: Path | None = None,
    tokenizer: str | None = None,
    rows: int = ROWS,
    progress: Progress = silent,
) -> int:
    """Writes the page of the mixture in `folder` to the file `out` and returns its size in bytes.

    `raw` is the root of raw folders; where raw rows are missing or are not those of the mixture, the page says so.
    `against` is another mixture folder to compare with, `rows` the number of sampled rows of a task. Raises
    DeclarationError if `out` is inside the mixture folder, or if the tokenizer cannot be read, and ArtifactError for
    a mixture that is not as its manifest says.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        raise DeclarationError(
            f"--out {out}: inside the mixture folder, which holds only what its manifest names."
        )
    html = mixture_page(
        load(folder), tasks, raw, against=against, tokenizer=tokenizer, rows=rows, progress=progress
    )
    with disk_errors(out), atomic_path(out) as part:
        part.write_text(html, encoding="utf-8")
    return len(html.encode())


def mixture_page(
    loaded: Examples,
    tasks: Mapping[str, Task],
    raw: Path,
    *,
    against: Path | None,
    tokenizer: str | None,
    rows: int,
    progress: Progress,
) -> str:
    """The page of a mixture's train split."""
    manifest = loaded.manifest
    codec = _codec(tokenizer) if tokenizer else None
    counted = contents(loaded, max(rows, summary.TOKEN_ROWS if codec else 0), progress=progress)
    return page(
        "inspect/explore.html",
        script=_SCRIPT.read_text(encoding="utf-8"),
        title=mixture_folder(manifest.name, manifest.holdout),
        sections=list(_SECTIONS.items()),
        limits=samples.LIMITS,
        lead=_lead(manifest),
        source_notice=_source_notice(manifest),
        settings=_settings(manifest),
        held_out=summary.held_out(manifest),
        left_out=summary.left_out(manifest),
        flow=summary.flow(manifest, counted),
        lengths=summary.lengths(loaded, counted, tokenizer, codec),
        templates=summary.templates(counted),
        licenses=summary.licenses(manifest),
        contamination=summary.contamination(
            manifest, raw.parent / "contamination" / f"{loaded.folder.name}.parquet"
        ),
        sampled=samples.sampled(loaded, counted, rows),
        origins=samples.origins(loaded, counted, tasks, raw, progress),
        difference=summary.difference(against, loaded.folder),
    )


def _lead(manifest: Manifest) -> str:
    rows, clusters = manifest.rows, by_cluster(manifest)
    given = sum(map(len, clusters.values()))
    return (
        f"{rows['train']:,} training and {rows['validation']:,} validation examples of {given} tasks in "
        f"{len(clusters)} clusters. Held out: {', '.join(manifest.holdout) or 'nothing'}."
    )


def _source_notice(manifest: Manifest) -> str:
    """Where the rows are from, unless all are from the hub."""
    kinds = sorted({task.source.kind for task in manifest.tasks.values() if task.given} - {"hub"})
    return " ".join(_SOURCES[kind] for kind in kinds)


def _settings(manifest: Manifest) -> list[tuple[str, str]]:
    mixture = manifest.mixture
    size, rate = mixture["size"], mixture["rate"]
    return [
        ("Digest", manifest.digest[:16]),
        ("Seed", str(mixture["seed"])),
        ("Cap", f"{mixture['cap']:,} rows of a task"),
        ("Rate", f"{rate['scheme']}, maximum {rate['max']:,}"),
        ("Size", f"{size['passes']} passes" if size["passes"] else f"{size['examples']:,} examples"),
        ("Templates", f"{mixture['templates']} of a task, style {mixture['style']}"),
        ("Shards", str(len(manifest.shards["train"]))),
    ]


def _codec(tokenizer: str) -> Any:
    """Raises FlanbuildError if transformers is missing, DeclarationError if the tokenizer cannot be read."""
    require("`flanbuild explore --tokenizer`", "train", ("torch", "transformers"))
    from flanbuild.model.codec import Codec
    from flanbuild.model.loader import load_tokenizer
    from flanbuild.model.record import ModelRef

    ref = ModelRef(kind="hub", name="", tokenizer=tokenizer)  # a tokenizer without a model
    return Codec(load_tokenizer(ref, option="--tokenizer"), encoder_decoder=False)
