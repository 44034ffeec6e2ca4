"""Commands that make data: raw, rendered, mixed."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flanbuild.cli import options
from flanbuild.cli.options import (
    AsJson,
    Data,
    Holdout,
    Jobs,
    Mirror,
    Missing,
    MixtureName,
    SampleRows,
    SkipMissing,
    SourceKind,
    TaskNames,
    Tasks,
)
from flanbuild.console import print_table, progress, say

if TYPE_CHECKING:
    from flanbuild.build import Build
    from flanbuild.mixing import Share


def plan(
    mixture: MixtureName = None,
    holdout: Holdout = None,
    as_json: AsJson = False,
    tasks: Tasks = None,
    source: SourceKind = None,
    mirror: Mirror = None,
    missing: SkipMissing = None,
    sample_rows: SampleRows = None,
    data: Data = Path("data"),
    jobs: Jobs = None,
) -> None:
    """What each task would give, exactly, or why it is out. Renders what it needs to know their rows."""
    build = _build(mixture, tasks, source, mirror, missing, sample_rows, data, jobs)
    shares, held = build.plan(holdout or [])
    if as_json:
        typer.echo(json.dumps([_as_json(share) for share in shares], indent=2))
        return
    columns = ("cluster", "task", "available", "kept", "rate", "share", "given", "repeats", "out because")
    total = sum(share.count for share in shares)
    given = sum(1 for share in shares if share.count)
    rows = sorted(_as_row(share) for share in shares)
    print_table(f"{total:,} examples from {given} of {len(shares)} tasks", columns, rows)
    for out in held.values():
        say(f"{out.cluster} is out: {out.rule}.")


def download(
    names: TaskNames = None,
    tasks: Tasks = None,
    source: SourceKind = None,
    mirror: Mirror = None,
    missing: SkipMissing = None,
    sample_rows: SampleRows = None,
    data: Data = Path("data"),
    jobs: Jobs = None,
) -> None:
    """Bring raw rows into DATA/raw, as far as they are missing or stale."""
    _build(None, tasks, source, mirror, missing, sample_rows, data, jobs, names).download()


def render(
    names: TaskNames = None,
    tasks: Tasks = None,
    source: SourceKind = None,
    mirror: Mirror = None,
    missing: SkipMissing = None,
    sample_rows: SampleRows = None,
    data: Data = Path("data"),
    jobs: Jobs = None,
) -> None:
    """Write prompts into DATA/rendered, as far as they are missing or stale."""
    build = _build(None, tasks, source, mirror, missing, sample_rows, data, jobs, names)
    build.render()
    _tell_drops(build.records())


def mixture(
    mixture: MixtureName = None,
    holdout: Holdout = None,
    tasks: Tasks = None,
    source: SourceKind = None,
    mirror: Mirror = None,
    missing: SkipMissing = None,
    sample_rows: SampleRows = None,
    data: Data = Path("data"),
    jobs: Jobs = None,
) -> None:
    """Build a mixture with clusters held out: whatever is missing or stale before it, then the shards.

    Prints the mixture's digest, which is the same wherever and however it is built.
    """
    build = _build(mixture, tasks, source, mirror, missing, sample_rows, data, jobs)
    folder, record, built = build.mix(holdout or [])
    _tell_drops(build.records())
    state = "built" if built else "up to date"
    say(f"{folder}: {state}, {record['rows']['train']:,} train and {record['rows']['validation']:,} validation examples.")
    typer.echo(record["digest"])


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A mixture folder.")],
    rendered: Annotated[
        Path | None,
        typer.Option(help="Check the held-out evaluation files below this folder too.", show_default="not checked"),
    ] = None,
) -> None:
    """Read every byte of a mixture and name what differs from its manifest."""
    from flanbuild import manifest
    from flanbuild.errors import ArtifactError

    if faults := manifest.verify(folder, rendered):
        raise ArtifactError("\n".join(faults))
    typer.echo(f"{folder}: all as its manifest says.")


def _build(
    mixture: str | None,
    tasks: list[Path] | None,
    source: options.Kind | None,
    mirror: Path | None,
    missing: Missing | None,
    sample_rows: int | None,
    data: Path,
    jobs: int | None,
    names: list[str] | None = None,
) -> "Build":
    from flanbuild.build import Build
    from flanbuild.params import load_params
    from flanbuild.tasks import select

    params = load_params()
    loaded = options.pages(tasks)
    if names:
        loaded = {task.name: task for name in names for task in select(loaded, name)}
    return Build(
        tasks=loaded,
        mixture=options.mixture(mixture),
        source=options.source(source, mirror, sample_rows),
        data=data,
        missing=missing.value if missing else params.missing,
        evaluation_examples=params.evaluate.examples,
        jobs=jobs or os.cpu_count() or 1,
        progress=progress,
    )


def _tell_drops(records: dict[str, dict[str, Any]]) -> None:
    """What was left out, and why: nothing goes silently."""
    for name, record in records.items():
        seen = set()
        for split, said in record["splits"].items():
            if "missing" in said:
                say(f"{name}: no {split}: the {record['source']['kind']} has no {', '.join(said['missing'])}.")
            elif said["dropped"] and tuple(said["of"]) not in seen:
                seen.add(tuple(said["of"]))
                reasons = ", ".join(f"{count:,} {reason}" for reason, count in said["dropped"].items())
                say(f"{name}: of {said['upstream']:,} rows for {split}, dropped {reasons}.")


def _as_row(share: "Share") -> tuple[str, ...]:
    return (
        share.cluster,
        share.task,
        f"{share.available:,}",
        f"{share.rows:,}",
        f"{share.rate:,}",
        f"{float(share.share):.2%}",
        f"{share.count:,}",
        str(share.repeats),
        share.out,
    )


def _as_json(share: "Share") -> dict[str, Any]:
    return {
        "cluster": share.cluster,
        "task": share.task,
        "available": share.available,
        "kept": share.rows,
        "rate": share.rate,
        "share": float(share.share),
        "given": share.count,
        "repeats": share.repeats,
        "out": share.out,
    }
