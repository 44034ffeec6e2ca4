"""Commands that read declarations and a few rows, and build nothing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flanbuild.cli import options
from flanbuild.cli.options import AsJson, Rows, TaskName
from flanbuild.console import print_table
from flanbuild.errors import DeclarationError

if TYPE_CHECKING:
    from flanbuild.tasks import Task

Tasks = Annotated[
    list[Path] | None,
    typer.Option("--tasks", help="A folder of pages of your own; may be repeated.", show_default=False),
]
Data = Annotated[Path, typer.Option("--data", help="Where raw rows lie.")]


def list_tasks(tasks: Tasks = None, data: Data = Path("data"), as_json: AsJson = False) -> None:
    """All tasks: cluster, type, templates, licence, and how many rows are here."""
    found = [_listed(task, data) for task in options.pages(tasks).values()]
    found.sort(key=lambda task: (task["cluster"], task["task"]))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    columns = ("cluster", "task", "type", "templates", "licence", "repository", "source", "rows")
    rows = [["" if task[name] is None else str(task[name]) for name in columns] for task in found]
    print_table(f"{len(found)} tasks", columns, rows)


def show(name: TaskName, tasks: Tasks = None, as_json: AsJson = False) -> None:
    """One task as its page declares it, subsets resolved."""
    from flanbuild.tasks import select

    chosen = select(options.pages(tasks), name)
    if as_json:
        typer.echo(
            json.dumps([task.model_dump(mode="json") for task in chosen], indent=2, ensure_ascii=False)
        )
        return
    for task in chosen:
        _show(task)


def preview(
    name: TaskName,
    row: Annotated[int, typer.Option(min=0, help="Which of the rows that are kept.")] = 0,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "train",
    *,
    config: Rows,
) -> None:
    """A raw row, then its prompts under every template, each with its target."""
    from flanbuild import preview as previews
    from flanbuild.tasks import select

    chosen = select(config.pages(), name)
    opened = config.open()
    for task in chosen:
        previews.print_preview(previews.preview(task, opened, split, row))


def why(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A mixture folder.")],
    row: Annotated[int, typer.Argument(metavar="ROW", help="Which example of the split, from 0.")],
    split: Annotated[str, typer.Option(help="train or validation.")] = "train",
    tasks: Tasks = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Where raw rows lie.", show_default="where DIR lies in, DATA/mixtures/DIR"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Where an example of a mixture comes from: source, template, and the keys and the rate that put it there."""
    from flanbuild import provenance

    raw = (data or folder.absolute().parents[1]) / "raw"
    found = provenance.origin(folder, row, split, options.pages(tasks), raw)
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2, ensure_ascii=False))
    else:
        provenance.print_origin(found)


def check(tasks: Tasks = None) -> None:
    """Read every page and every mixture and report all faults, without touching any data."""
    from flanbuild.examples import check_expressions
    from flanbuild.mixtures import load_mixture

    loaded = options.pages(tasks)
    faults = check_expressions(loaded.values())
    mixtures = sorted(options.mixtures_folder().glob("*.yaml"))
    for path in mixtures:
        try:
            load_mixture(path).members(loaded.values())
        except DeclarationError as error:
            faults += error.faults
    if faults:
        raise DeclarationError(*faults)
    pages = {task.page for task in loaded.values()}
    templates = {(task.page, template) for task in loaded.values() for template in task.templates}
    typer.echo(
        f"{len(pages)} pages, {len(loaded)} tasks, {len(templates)} templates, {len(mixtures)} mixtures: no fault."
    )


def _listed(task: "Task", data: Path) -> dict[str, Any]:
    from flanbuild.shards import read_json

    path = data / "raw" / task.cluster / task.name / "source.json"
    said = read_json(path) if path.is_file() else None
    return {
        "cluster": task.cluster,
        "task": task.name,
        "type": task.type,
        "templates": len(task.templates),
        "licence": task.source.licence,
        "repository": task.source.repo,
        "source": said["kind"] if said else None,
        "rows": sum(split["rows"] for split in said["splits"].values()) if said else None,
    }


def _show(task: "Task") -> None:
    typer.echo(f"{task.name}: {task.type} in cluster {task.cluster}, page {task.page}")
    typer.echo(
        f"source: {task.source.repo} ({task.source.config}), {task.source.licence}, {task.source.homepage}"
    )
    for key, value in task.model_dump(
        include={"splits", "where", "fields", "options", "answer", "answers", "metrics"}
    ).items():
        if value:
            typer.echo(f"{key}: {value}")
    for index, template in enumerate(task.templates):
        kind = " (inverted)" if template.kind == "inverted" else ""
        typer.secho(f"\n[{index}]{kind}", bold=True)
        typer.echo(template.inputs)
        typer.secho(f"→ {template.targets}", fg="green")
