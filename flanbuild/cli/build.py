"""Commands that build data: raw rows, prompts, evaluation sets, mixtures."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flanbuild.cli.completion import mixture_names
from flanbuild.cli.console import local_path
from flanbuild.cli.options import AsJson, BuildOptions, DataOptions, Holdout, MixtureName, TaskNames
from flanbuild.cli.table import print_table
from flanbuild.declare import project
from flanbuild.progress import log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flanbuild.artifacts.records import EvaluationRecord, TaskRecord
    from flanbuild.builder import Build, Built
    from flanbuild.mix.plan import Allocation

MixtureOption = Annotated[
    str,
    typer.Option(
        "--mixture", help="Mixture whose cap, seed and templates apply.", autocompletion=mixture_names
    ),
]


def plan(
    mixture: MixtureName = "flan2021",
    holdout: Holdout = None,
    as_json: AsJson = False,
    *,
    config: BuildOptions,
) -> None:
    """Show how many examples each task would give to a mixture, or why it gives none.

    Columns: `available` are training rows upstream, `kept` those left after filters, carving and the cap, `rate` the
    examples of one pass, `share` and `given` the part of the mixture, `repeats` how often the most drawn row comes again.
    `duplicates` are the kept rows whose texts equal those of another one, `test in train` the task's own test rows whose
    texts equal those of a kept row, `contaminated` the rows that carry a held-out item or its question.

    Downloads and counts rows, writes no prompts and changes no mixture. Counts are cached; `flanbuild gc` removes them.
    """
    allocations, held = config.checked_build(mixture).plan(holdout or [])
    if as_json:
        typer.echo(json.dumps([_as_json(entry) for entry in allocations], indent=2))
        return
    columns = (
        "cluster",
        "task",
        "available",
        "kept",
        "duplicates",
        "test in train",
        "rate",
        "share",
        "given",
        "repeats",
        "contaminated",
        "out because",
    )
    total = sum(entry.count for entry in allocations)
    given = sum(1 for entry in allocations if entry.count)
    rows = sorted(_as_row(entry) for entry in allocations)
    print_table(
        f"{total:,} examples from {given} of {len(allocations)} tasks",
        columns,
        rows,
        ("given", "out because"),
    )
    for group in held.values():
        log(f"{group.name} is out: {group.rule}.")


def download(names: TaskNames = None, *, config: DataOptions) -> None:
    """Download raw rows that are missing or stale into DATA/raw."""
    build = config.build("flan2021")
    build.download(_chosen(build, names) or build.tasks)


def render(names: TaskNames = None, mixture: MixtureOption = "flan2021", *, config: BuildOptions) -> None:
    """Render training prompts that are missing or stale into DATA/rendered."""
    build = config.build(mixture)
    if names:
        tasks = tuple(_chosen(build, names) or ())
        build = replace(build, mixture=build.mixture.model_copy(update={"tasks": tasks}))
    _log_drops(build.render())


def evalset(
    names: TaskNames = None,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Maximum rows of a split, each under every forward template.")
    ] = 1000,
    *,
    config: BuildOptions,
) -> None:
    """Build evaluation sets in DATA/evaluation: test and dev rows, the same for every mixture."""
    build = replace(config.build("flan2021"), evaluation_rows=max_rows)
    records = build.evaluation_sets(_chosen(build, names))
    columns = ("cluster", "task", "test rows", "test examples", "dev rows", "dev examples")
    rows = sorted(_evaluation_row(record) for record in records.values())
    print_table(f"{len(rows)} evaluation sets", columns, rows)


def mixture(mixture: MixtureName = "flan2021", holdout: Holdout = None, *, config: BuildOptions) -> None:
    """Build a mixture with clusters held out, and everything it needs that is missing or stale.

    Prints the mixture's digest, which does not depend on where or how it is built.
    """
    build = config.checked_build(mixture)
    built = build.mix(holdout or [])
    _log_drops(built.records)
    state = "built" if built.new else "up to date"
    rows = built.manifest.rows
    counts = f"{rows['train']:,} train and {rows['validation']:,} validation examples"
    log(f"{built.folder}: {state}, {counts}.")
    _log_contamination(built)
    typer.echo(built.manifest.digest)


def gc(
    data: Annotated[Path, typer.Option(help="Data folder.", callback=local_path("--data"))] = Path("data"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be removed, and remove nothing.")
    ] = False,
) -> None:
    """Remove files that can be computed again at any time: counts of `plan`, and leftovers of killed runs."""
    from flanbuild.artifacts.cache import free

    freed = free(data, dry_run=dry_run)
    for path, size in freed:
        typer.echo(f"{path}\t{size / 1e6:,.1f} MB")
    total = sum(size for _, size in freed)
    typer.echo(f"{total / 1e6:,.1f} MB {'would be freed' if dry_run else 'freed'} in {data}.")


def verify(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder of a mixture or an export.", callback=local_path("DIR")),
    ],
    evaluation: Annotated[
        Path | None,
        typer.Option(
            help="Folder of evaluation sets, to check that they hold the rows that were held out.",
            show_default="not checked",
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY",
            help="File of a public Ed25519 key (PEM) by whose private key an export must be signed.",
            show_default="not checked",
        ),
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Also build the mixture again in a temporary folder in DATA and compare every byte.",
        ),
    ] = False,
    *,
    config: BuildOptions,
) -> None:
    """Check every byte of a mixture against its manifest, or of an export against its record.

    The options below apply to `--rebuild`: use those that the mixture was built with.
    """
    from flanbuild.errors import ArtifactError, DeclarationError
    from flanbuild.export.record import EXPORT
    from flanbuild.export.verification import verify_export
    from flanbuild.mix.verification import verify as verify_folder

    exported = (folder / EXPORT).is_file()
    if exported and rebuild:
        raise DeclarationError(f"--rebuild: {folder} is an export; name the folder of a mixture.")
    if public_key and not exported:
        raise DeclarationError(
            f"--public-key: {folder} is not an export; `flanbuild publish --sign` signs one."
        )
    if faults := verify_export(folder, public_key) if exported else verify_folder(folder, evaluation):
        raise ArtifactError("\n".join(faults))
    if rebuild:
        _rebuild(folder, config)
    signed = f", signed by the key {public_key}" if public_key else ""
    typer.echo(
        f"{folder}: all as its manifest says{signed}{', and the same when built again' if rebuild else ''}."
    )


def rebuild(
    manifest: Annotated[
        Path,
        typer.Argument(
            metavar="MANIFEST", help="manifest.json of a mixture.", callback=local_path("MANIFEST")
        ),
    ],
    *,
    config: BuildOptions,
) -> None:
    """Build a mixture again from its manifest, in DATA, and compare every shard with the manifest.

    Needs the task files and the rows that the mixture was built from, not its shards. Exit code 1, and a sentence for each
    difference: a declaration, the commit of a source, the first row of a shard, the version of a library.
    """
    from flanbuild.artifacts.records import Manifest, read_record
    from flanbuild.builder import rebuild_manifest
    from flanbuild.errors import ArtifactError
    from flanbuild.inspect import rebuild as rebuilding

    record = read_record(manifest, Manifest)
    build = config.build_of(rebuilding.mixture_of(record))
    faults = rebuilding.stale(record, build.tasks, None)
    for fault in faults:
        log(fault)
    folder, differences = rebuild_manifest(manifest, build)
    if differences:
        raise ArtifactError("\n".join(differences))
    shards = sum(map(len, record.shards.values()))
    typer.echo(f"{folder}: the same {shards} shards as {manifest} names.")


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="Mixture folder.", callback=local_path("A"))],
    after: Annotated[
        Path, typer.Argument(metavar="B", help="Mixture folder to compare with.", callback=local_path("B"))
    ],
    as_json: AsJson = False,
) -> None:
    """Compare two mixtures: declarations, and examples that were added, removed, re-rendered or moved.

    Exit code 0 if they are the same, 1 if they differ.
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
    """Raises ArtifactError with all differences."""
    from tempfile import TemporaryDirectory

    from flanbuild.artifacts.records import MANIFEST, Manifest, read_record
    from flanbuild.builder import rebuild as build_again
    from flanbuild.declare.mixture import load_mixture
    from flanbuild.errors import ArtifactError
    from flanbuild.inspect import rebuild

    manifest = read_record(folder / MANIFEST, Manifest)
    mixture = rebuild.mixture_of(manifest)
    build = config.build_of(mixture)
    file = project.mixtures_folder() / mixture.path
    faults = rebuild.stale(manifest, build.tasks, load_mixture(file) if file.is_file() else None)
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
    """Logs for each task how many upstream rows were dropped, and why."""
    for name, record in records.items():
        seen = set()
        for split, counts in record.splits.items():
            if counts.missing:
                log(f"{name}: no {split}: the {record.source.kind} has no {', '.join(counts.missing)}.")
            elif counts.dropped and counts.of not in seen:
                seen.add(counts.of)
                reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.dropped.items())
                dropped, upstream = sum(counts.dropped.values()), " + ".join(counts.of)
                log(
                    f"{name}: dropped {dropped:,} of the {counts.upstream:,} rows of '{upstream}': {reasons}."
                )


def _log_contamination(built: "Built") -> None:
    """Logs in one line what was found, with the worst pairs of tasks."""
    from flanbuild.mix.contamination import worst

    record = built.manifest.contamination
    if not record.references:
        return
    rows = sum(task.contaminated for task in built.manifest.tasks.values())
    looked = sum(count.rows for count in record.references.values())
    if not rows:
        log(f"contamination: no training row carries one of {looked:,} held-out evaluation rows.")
        return
    pairs = ", ".join(f"{match.task} ← {match.reference} {match.rows:,}" for match in worst(record.found, 3))
    done = "left out" if record.rule == "drop" else "kept (`contamination: {rule: drop}` leaves them out)"
    log(
        f"contamination: {rows:,} training rows carry held-out evaluation rows and are {done}: {pairs}; "
        f"flanbuild contamination {built.folder} shows them."
    )


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
        f"{entry.duplicates:,}",
        f"{entry.in_train['test']:,}" if "test" in entry.in_train else "",
        f"{entry.rate:,}",
        f"{float(entry.share):.2%}",
        f"{entry.count:,}",
        str(entry.repeats),
        f"{entry.contaminated:,}",
        entry.out,
    )


def _as_json(entry: "Allocation") -> dict[str, Any]:
    return {
        "cluster": entry.cluster,
        "task": entry.task,
        "available": entry.available,
        "kept": entry.rows,
        "duplicates": entry.duplicates,
        "in_train": dict(entry.in_train),
        "rate": entry.rate,
        "share": float(entry.share),
        "given": entry.count,
        "repeats": entry.repeats,
        "contaminated": entry.contaminated,
        "removed": entry.removed,
        "out": entry.out,
    }
