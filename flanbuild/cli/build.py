"""Commands that make data: raw, rendered, mixed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flanbuild.cli.console import print_table
from flanbuild.cli.options import AsJson, BuildOptions, Holdout, MixtureName, TaskNames, mixtures_folder
from flanbuild.progress import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flanbuild.artifacts.records import EvaluationRecord, TaskRecord
    from flanbuild.build import Build
    from flanbuild.mix.plan import Allocation

MixtureOption = Annotated[
    str, typer.Option("--mixture", help="The mixture whose cap, seed and templates apply.")
]


def plan(
    mixture: MixtureName = "flan2021",
    holdout: Holdout = None,
    as_json: AsJson = False,
    *,
    config: BuildOptions,
) -> None:
    """Show what each task would give, exactly, or why it gives nothing.

    Downloads and counts rows, writes no prompts and changes no mixture. Counts are cached: `flanbuild gc` frees them.
    """
    allocations, held = config.checked_build(mixture).plan(holdout or [])
    if as_json:
        typer.echo(json.dumps([_as_json(entry) for entry in allocations], indent=2))
        return
    columns = ("cluster", "task", "available", "kept", "rate", "share", "given", "repeats", "out because")
    total = sum(entry.count for entry in allocations)
    given = sum(1 for entry in allocations if entry.count)
    rows = sorted(_as_row(entry) for entry in allocations)
    print_table(f"{total:,} examples from {given} of {len(allocations)} tasks", columns, rows)
    for group in held.values():
        log(f"{group.name} is out: {group.rule}.")


def download(names: TaskNames = None, *, config: BuildOptions) -> None:
    """Download raw rows into DATA/raw, as far as they are missing or stale."""
    build = config.build("flan2021")
    build.download(_chosen(build, names) or build.tasks)


def render(names: TaskNames = None, mixture: MixtureOption = "flan2021", *, config: BuildOptions) -> None:
    """Write training prompts into DATA/rendered, as far as they are missing or stale."""
    build = config.build(mixture)
    if names:
        tasks = tuple(_chosen(build, names) or ())
        build = replace(build, mixture=build.mixture.model_copy(update={"tasks": tasks}))
    _log_drops(build.render())


def evalset(
    names: TaskNames = None,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Rows of a split at most, each under every forward template.")
    ] = 1000,
    *,
    config: BuildOptions,
) -> None:
    """Write evaluation sets into DATA/evaluation: test and dev rows, the same for every mixture."""
    build = replace(config.build("flan2021"), evaluation_rows=max_rows)
    records = build.evaluation_sets(_chosen(build, names))
    columns = ("cluster", "task", "test rows", "test examples", "dev rows", "dev examples")
    rows = sorted(_evaluation_row(record) for record in records.values())
    print_table(f"{len(rows)} evaluation sets", columns, rows)


def mixture(mixture: MixtureName = "flan2021", holdout: Holdout = None, *, config: BuildOptions) -> None:
    """Build a mixture with clusters held out: whatever is missing or stale before it, then the shards.

    Prints the mixture's digest, which is the same wherever and however it is built.
    """
    build = config.checked_build(mixture)
    built = build.mix(holdout or [])
    _log_drops(built.records)
    state = "built" if built.new else "up to date"
    rows = built.manifest.rows
    counts = f"{rows['train']:,} train and {rows['validation']:,} validation examples"
    log(f"{built.folder}: {state}, {counts}.")
    typer.echo(built.manifest.digest)


def gc(
    data: Annotated[Path, typer.Option(help="The data folder.")] = Path("data"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be freed and free nothing.")
    ] = False,
) -> None:
    """Free what can be computed again at any time: counts of `plan`, and what killed runs have left."""
    from flanbuild.artifacts.cache import free

    freed = free(data, dry_run=dry_run)
    for path, size in freed:
        typer.echo(f"{path}\t{size / 1e6:,.1f} MB")
    total = sum(size for _, size in freed)
    typer.echo(f"{total / 1e6:,.1f} MB {'would be freed' if dry_run else 'freed'} in {data}.")


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A mixture folder.")],
    evaluation: Annotated[
        Path | None,
        typer.Option(
            help="The folder of evaluation sets, to check that they hold the rows that were held out.",
            show_default="not checked",
        ),
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Build it again below DATA, from pages and source, and compare every byte."
        ),
    ] = False,
    *,
    config: BuildOptions,
) -> None:
    """Read every byte of a mixture and name what differs from its manifest.

    The options below count with `--rebuild`: give those that the mixture was built with.
    """
    from flanbuild.errors import ArtifactError
    from flanbuild.mix.verification import verify as verify_folder

    if faults := verify_folder(folder, evaluation):
        raise ArtifactError("\n".join(faults))
    if rebuild:
        _rebuild(folder, config)
    typer.echo(f"{folder}: all as its manifest says{', and the same when built again' if rebuild else ''}.")


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A mixture folder.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    as_json: AsJson = False,
) -> None:
    """What two mixtures declare otherwise, and which examples that added, removed, re-rendered or moved.

    Exit code 0: the same; 1: they differ.
    """
    from flanbuild.inspect.difference import compare

    found = compare(before, after)
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2, ensure_ascii=False))
    elif found:
        declared = [(one.where, one.key, one.values()) for one in found.declared]
        print_table(f"{len(declared)} differences declared", ("of", "key", "A → B"), declared)
        columns = ("task", "split", "added", "removed", "re-rendered", "moved", "because")
        rows = [
            (
                r.task,
                r.split,
                *(f"{n:,}" for n in (r.added, r.removed, r.rerendered, r.moved)),
                "; ".join(r.causes),
            )
            for r in found.rows
        ]
        print_table(f"examples of {len({row[0] for row in rows})} tasks differ", columns, rows)
    else:
        typer.echo("The same.")
    if found:
        raise typer.Exit(1)


def _rebuild(folder: Path, config: BuildOptions) -> None:
    """Raises ArtifactError with all that differs."""
    from tempfile import TemporaryDirectory

    from flanbuild.build import rebuild as build_again
    from flanbuild.declare.mixture import load_mixture
    from flanbuild.errors import ArtifactError
    from flanbuild.inspect import rebuild

    mixture = rebuild.mixture_of(folder)
    build = config.build_of(mixture)
    file = mixtures_folder() / mixture.path
    faults = rebuild.stale(folder, build.tasks, load_mixture(file) if file.is_file() else None)
    config.data.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".rebuild-", dir=config.data) as data:
        faults += build_again(folder, replace(build, data=Path(data)))
    if faults:
        raise ArtifactError("\n".join(faults))


def _chosen(build: "Build", names: list[str] | None) -> list[str] | None:
    """The tasks that are named by task, dataset or cluster; None for all."""
    from flanbuild.declare.task import select

    return [task.name for name in names for task in select(build.tasks, name)] if names else None


def _log_drops(records: "Mapping[str, TaskRecord]") -> None:
    """What was left out, and why: nothing goes silently."""
    for name, record in records.items():
        seen = set()
        for split, counts in record.splits.items():
            if counts.missing:
                log(f"{name}: no {split}: the {record.source.kind} has no {', '.join(counts.missing)}.")
            elif counts.dropped and counts.of not in seen:
                seen.add(counts.of)
                reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.dropped.items())
                log(f"{name}: of {counts.upstream:,} rows for {split}, dropped {reasons}.")


def _evaluation_row(record: "EvaluationRecord") -> tuple[str, ...]:
    cells = [record.cluster, record.task]
    for name in ("test", "dev"):
        split = record.splits.get(name)
        if split is None or split.missing:
            cells += ["missing" if split else "", ""]
        else:
            cells += [f"{split.rows:,}", f"{split.examples:,}"]
    return tuple(cells)


def _as_row(entry: "Allocation") -> tuple[str, ...]:
    return (
        entry.cluster,
        entry.task,
        f"{entry.available:,}",
        f"{entry.rows:,}",
        f"{entry.rate:,}",
        f"{float(entry.share):.2%}",
        f"{entry.count:,}",
        str(entry.repeats),
        entry.out,
    )


def _as_json(entry: "Allocation") -> dict[str, Any]:
    return {
        "cluster": entry.cluster,
        "task": entry.task,
        "available": entry.available,
        "kept": entry.rows,
        "rate": entry.rate,
        "share": float(entry.share),
        "given": entry.count,
        "repeats": entry.repeats,
        "out": entry.out,
    }
