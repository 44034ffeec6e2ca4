"""Commands that make data: raw, rendered, mixed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flanbuild.cli.console import print_table
from flanbuild.cli.options import AsJson, BuildOptions, Holdout, MixtureName, TaskNames, mixtures_folder
from flanbuild.progress import log

if TYPE_CHECKING:
    from flanbuild.mix.mixture import Allocation

MixtureOption = Annotated[str, typer.Option("--mixture", help="Whose cap, seed and templates to take.")]


def plan(
    mixture: MixtureName = "flan2021",
    holdout: Holdout = None,
    as_json: AsJson = False,
    *,
    config: BuildOptions,
) -> None:
    """What each task would give, exactly, or why it is out. Renders what it needs to know their rows."""
    shares, held = config.checked_build(mixture).plan(holdout or [])
    if as_json:
        typer.echo(json.dumps([_as_json(share) for share in shares], indent=2))
        return
    columns = ("cluster", "task", "available", "kept", "rate", "share", "given", "repeats", "out because")
    total = sum(share.count for share in shares)
    given = sum(1 for share in shares if share.count)
    rows = sorted(_as_row(share) for share in shares)
    print_table(f"{total:,} examples from {given} of {len(shares)} tasks", columns, rows)
    for out in held.values():
        log(f"{out.name} is out: {out.rule}.")


def download(task_refs: TaskNames = None, *, config: BuildOptions) -> None:
    """Bring raw rows into DATA/raw, as far as they are missing or stale."""
    config.build("flan2021", task_refs).download()


def render(task_refs: TaskNames = None, mixture: MixtureOption = "flan2021", *, config: BuildOptions) -> None:
    """Write prompts into DATA/rendered, as far as they are missing or stale."""
    build = config.build(mixture, task_refs)
    build.render()
    _tell_drops(build.records())


def mixture(mixture: MixtureName = "flan2021", holdout: Holdout = None, *, config: BuildOptions) -> None:
    """Build a mixture with clusters held out: whatever is missing or stale before it, then the shards.

    Prints the mixture's digest, which is the same wherever and however it is built.
    """
    build = config.checked_build(mixture)
    folder, record, built = build.mix(holdout or [])
    _tell_drops(build.records())
    state = "built" if built else "up to date"
    counts = f"{record['rows']['train']:,} train and {record['rows']['validation']:,} validation examples"
    log(f"{folder}: {state}, {counts}.")
    typer.echo(record["digest"])


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A mixture folder.")],
    rendered: Annotated[
        Path | None,
        typer.Option(
            help="Check the held-out evaluation files below this folder too.", show_default="not checked"
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
    from flanbuild.mix.verification import verify

    if faults := verify(folder, rendered):
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
    from dataclasses import replace
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


def _tell_drops(records: dict[str, dict[str, Any]]) -> None:
    """What was left out, and why: nothing goes silently."""
    for name, record in records.items():
        seen = set()
        for split, said in record["splits"].items():
            if "missing" in said:
                log(
                    f"{name}: no {split}: the {record['source']['kind']} has no {', '.join(said['missing'])}."
                )
            elif said["dropped"] and tuple(said["of"]) not in seen:
                seen.add(tuple(said["of"]))
                reasons = ", ".join(f"{count:,} {reason}" for reason, count in said["dropped"].items())
                log(f"{name}: of {said['upstream']:,} rows for {split}, dropped {reasons}.")


def _as_row(share: "Allocation") -> tuple[str, ...]:
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


def _as_json(share: "Allocation") -> dict[str, Any]:
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
