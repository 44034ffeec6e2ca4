"""Commands that make data: raw, rendered, mixed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flanbuild.cli.options import AsJson, Holdout, MixtureName, TaskNames, Where, mixtures_folder
from flanbuild.console import print_table, say

if TYPE_CHECKING:
    from flanbuild.mixing import Share

MixtureOption = Annotated[str, typer.Option("--mixture", help="Whose cap, seed and templates to take.")]


def plan(
    mixture: MixtureName = "flan2021",
    holdout: Holdout = None,
    as_json: AsJson = False,
    *,
    config: Where,
) -> None:
    """What each task would give, exactly, or why it is out. Renders what it needs to know their rows."""
    shares, held = config.build(mixture).plan(holdout or [])
    if as_json:
        typer.echo(json.dumps([_as_json(share) for share in shares], indent=2))
        return
    columns = ("cluster", "task", "available", "kept", "rate", "share", "given", "repeats", "out because")
    total = sum(share.count for share in shares)
    given = sum(1 for share in shares if share.count)
    rows = sorted(_as_row(share) for share in shares)
    print_table(f"{total:,} examples from {given} of {len(shares)} tasks", columns, rows)
    for out in held.values():
        say(f"{out.name} is out: {out.rule}.")


def download(names: TaskNames = None, *, config: Where) -> None:
    """Bring raw rows into DATA/raw, as far as they are missing or stale."""
    config.build("flan2021", names).download()


def render(names: TaskNames = None, mixture: MixtureOption = "flan2021", *, config: Where) -> None:
    """Write prompts into DATA/rendered, as far as they are missing or stale."""
    build = config.build(mixture, names)
    build.render()
    _tell_drops(build.records())


def mixture(mixture: MixtureName = "flan2021", holdout: Holdout = None, *, config: Where) -> None:
    """Build a mixture with clusters held out: whatever is missing or stale before it, then the shards.

    Prints the mixture's digest, which is the same wherever and however it is built.
    """
    build = config.build(mixture)
    folder, record, built = build.mix(holdout or [])
    _tell_drops(build.records())
    state = "built" if built else "up to date"
    counts = f"{record['rows']['train']:,} train and {record['rows']['validation']:,} validation examples"
    say(f"{folder}: {state}, {counts}.")
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
    config: Where,
) -> None:
    """Read every byte of a mixture and name what differs from its manifest.

    The options below count with `--rebuild`: give those that the mixture was built with.
    """
    from flanbuild import manifest
    from flanbuild.errors import ArtifactError

    if faults := manifest.verify(folder, rendered):
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
    from flanbuild.differences import compare

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


def _rebuild(folder: Path, config: Where) -> None:
    """Raises ArtifactError with all that differs."""
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    from flanbuild import rebuilding
    from flanbuild.errors import ArtifactError
    from flanbuild.mixtures import load_mixture

    mixture = rebuilding.mixture_of(folder)
    build = config.build_of(mixture)
    file = mixtures_folder() / mixture.path
    faults = rebuilding.stale(folder, build, load_mixture(file) if file.is_file() else None)
    config.data.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".rebuild-", dir=config.data) as data:
        faults += rebuilding.rebuild(folder, replace(build, data=Path(data)))
    if faults:
        raise ArtifactError("\n".join(faults))


def _tell_drops(records: dict[str, dict[str, Any]]) -> None:
    """What was left out, and why: nothing goes silently."""
    for name, record in records.items():
        seen = set()
        for split, said in record["splits"].items():
            if "missing" in said:
                say(
                    f"{name}: no {split}: the {record['source']['kind']} has no {', '.join(said['missing'])}."
                )
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
