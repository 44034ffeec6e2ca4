"""Commands that read declarations and a few rows, and build nothing."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flanbuild.cli.console import local_path
from flanbuild.cli.options import TASKS_HELP, AsJson, SourceOptions, TaskName
from flanbuild.cli.table import print_table
from flanbuild.declare import project
from flanbuild.declare.schema import SchemaName
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError

if TYPE_CHECKING:
    from flanbuild.declare.task import Task
    from flanbuild.inspect.origin import Origin, UpstreamRow
    from flanbuild.inspect.preview import Preview

Tasks = Annotated[
    list[Path] | None,
    typer.Option("--tasks", help=TASKS_HELP, show_default=False, callback=local_path("--tasks")),
]
MixtureData = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Data folder with raw rows.",
        show_default="the one that holds mixtures/DIR",
        callback=local_path("--data"),
    ),
]
Data = Annotated[
    Path, typer.Option("--data", help="Data folder with raw rows.", callback=local_path("--data"))
]


def list_tasks(tasks: Tasks = None, data: Data = Path("data"), as_json: AsJson = False) -> None:
    """List all tasks: cluster, type, templates, license, and the number of raw rows in the data folder."""
    found = [_listed(task, data) for task in project.task_files(tasks or ()).values()]
    found.sort(key=lambda task: (task["cluster"], task["task"]))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    columns = ("cluster", "task", "type", "templates", "license", "repository", "source", "rows")
    rows = [["" if task[name] is None else str(task[name]) for name in columns] for task in found]
    print_table(f"{len(found)} tasks", columns, rows, ("type",))


def show(name: TaskName, tasks: Tasks = None, as_json: AsJson = False) -> None:
    """Show a task as its task file declares it, with subsets resolved."""
    from flanbuild.declare.task import select

    chosen = select(project.task_files(tasks or ()), name)
    if as_json:
        typer.echo(
            json.dumps([task.model_dump(mode="json") for task in chosen], indent=2, ensure_ascii=False)
        )
        return
    for task in chosen:
        _show(task)


def preview(
    name: TaskName,
    row: Annotated[
        int, typer.Option(min=0, help="Index of the row among those that are not dropped, from 0.")
    ] = 0,
    split: Annotated[str, typer.Option(help="Split: train, validation or test.")] = "train",
    *,
    config: SourceOptions,
) -> None:
    """Show a raw row, then its prompt and target under every template."""
    from flanbuild.declare.task import select
    from flanbuild.inspect import preview as previews

    chosen = select(config.task_files(), name)
    opened = config.open()
    for task in chosen:
        print_preview(previews.preview(task, opened, split, row))


def why(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A mixture folder.", callback=local_path("DIR"))
    ],
    row: Annotated[int, typer.Argument(metavar="ROW", help="Index of the example in the split, from 0.")],
    split: Annotated[str, typer.Option(help="Split: train or validation.")] = "train",
    tasks: Tasks = None,
    data: MixtureData = None,
    as_json: AsJson = False,
) -> None:
    """Show the origin of an example of a mixture: source, template, and the keys and the rate that placed it."""
    from flanbuild.inspect import origin

    raw = (data or folder.absolute().parents[1]) / "raw"
    found = origin.origin(folder, row, split, project.task_files(tasks or ()), raw)
    if as_json:
        typer.echo(json.dumps(found.document(), indent=2, ensure_ascii=False))
    else:
        print_origin(found)


def contamination(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A mixture folder.", callback=local_path("DIR"))
    ],
    task: Annotated[
        str | None, typer.Option(help="Training task, or held-out task or file.", show_default="all")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Kind of match: item, question or passage.", show_default="all")
    ] = None,
    min_score: Annotated[
        float,
        typer.Option(min=0, max=1, help="Least share of the evaluation text that the training row has."),
    ] = 0.0,
    limit: Annotated[int, typer.Option(min=0, help="Maximum number of matches to show; 0 shows all.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show training rows that carry held-out evaluation rows, the strongest matches first.

    A row carries a whole item, only its question, or only a passage of it. `score` is the weighted share of the
    evaluation text that the training row has; `shared` is the longest run of words that both have.

    Example: `flanbuild contamination data/mixtures/flan2021-without-nli --kind item --limit 5`
    """
    from flanbuild.inspect.contamination import find_matches, matches

    found = find_matches(folder, task=task, kind=kind, min_score=min_score)
    shown = matches(found.head(limit) if limit else found)
    if as_json:
        typer.echo(json.dumps([match.document() for match in shown], indent=2, ensure_ascii=False))
        return
    typer.echo(f"{found.height:,} matches in {folder}")
    for match in shown:
        exact = ", exact" if match.exact else ""
        typer.secho(
            f"\n{match.task} row {match.row:,} ← {match.reference} {match.split} row {match.item:,}: "
            f"{match.kind}{exact}, score {match.score:.2f}",
            bold=True,
        )
        for name, text in (
            ("training", match.training_text),
            ("evaluation", match.evaluation_text),
            ("shared", match.span),
        ):
            line = " ".join(text.split())
            typer.echo(f"{name}: {line if len(line) <= _LONGEST else line[: _LONGEST - 1] + '…'}")


def check(
    tasks: Tasks = None,
    allow_outside: Annotated[
        bool,
        typer.Option(
            "--allow-outside", help="Permission for task files to read files outside their project."
        ),
    ] = False,
) -> None:
    """Check every task file, every mixture and the headers of local files, and report all faults. Reads no rows."""
    from flanbuild.declare.mixture import load_mixture
    from flanbuild.declare.requirements import check_mixture
    from flanbuild.render.examples import check_expressions
    from flanbuild.sources.local import check_local_files

    loaded = project.task_files(tasks or ())
    faults = check_expressions(loaded.values())
    for task in loaded.values():
        faults += check_local_files(task, allow_outside=allow_outside)
    mixtures = sorted(project.mixtures_folder().glob("*.yaml"))
    for path in mixtures:
        try:
            check_mixture(load_mixture(path), loaded.values())
        except DeclarationError as error:
            faults += error.faults
    if faults:
        raise DeclarationError(*faults)
    files = {task.path for task in loaded.values()}
    templates = {(task.path, template) for task in loaded.values() for template in task.templates}
    typer.echo(
        f"{len(files)} task files, {len(loaded)} tasks, {len(templates)} templates, {len(mixtures)} mixtures: no fault."
    )


def schema(
    name: Annotated[SchemaName, typer.Argument(metavar="KIND", help="`task` or `mixture`.")],
) -> None:
    """Print the JSON Schema of a task file or a mixture, for an editor."""
    from flanbuild.declare.schema import schema_text

    typer.echo(schema_text(name), nl=False)


def _listed(task: "Task", data: Path) -> dict[str, Any]:
    from flanbuild.artifacts.addresses import Addresses, task_folder
    from flanbuild.artifacts.records import RECORD, RawRecord, find_record

    record = find_record(task_folder(Addresses(data).raw, task.cluster, task.name) / RECORD, RawRecord)
    return {
        "cluster": task.cluster,
        "task": task.name,
        "type": task.type,
        "templates": len(task.templates),
        "license": task.source.license,
        "repository": task.source.repo,
        "source": record.source.kind if record else None,
        "rows": sum(split.rows for split in record.splits.values()) if record else None,
    }


def _show(task: "Task") -> None:
    typer.echo(f"{task.name}: {task.type} in cluster {task.cluster}, task file {task.path}")
    typer.echo(
        f"source: {task.source.repo} ({task.source.config}), {task.source.license}, {task.source.homepage}"
    )
    keys = {"splits", "where", "fields", "roles", "options", "answer", "answers", "metrics"}
    declared = task.model_dump(mode="json", include=keys, exclude_none=True)
    declared["roles"] = {role: names for role, names in declared["roles"].items() if names}
    typer.echo(_as_yaml({key: value for key, value in declared.items() if value}), nl=False)
    for index, template in enumerate(task.templates):
        kind = " (inverted)" if template.kind == "inverted" else ""
        typer.secho(f"\n[{index}]{kind}", bold=True)
        typer.echo(template.inputs)
        typer.secho(f"→ {template.targets}", fg="green")


def _as_yaml(value: dict[str, Any]) -> str:
    """The text of a mapping as in a task file."""
    from io import StringIO

    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    yaml.width = 100
    text = StringIO()
    yaml.dump(value, text)
    return text.getvalue()


def print_origin(found: "Origin") -> None:
    """Prints in color on a terminal and plainly in a pipe."""
    example, share, keys, template = found.example, found.share, found.keys, found.template
    typer.secho(f"# {found.split} example {found.index:,}: {found.shard}, row {found.position:,}", bold=True)
    rate = (
        f"{share.rate:,} a pass of {share.rows:,} rows; "
        f"{share.count:,} of {share.total:,} examples ({share.count / share.total:.2%})"
    )
    lines = {
        "task": f"{example['task']} of dataset {example['dataset']}, cluster {example['cluster']}; {found.license}",
        "source": _source_line(found.source),
        "row": _row_line(found.source, example["row"]),
        "repeat": f"{example['repeat']}" + (": drawn again" if example["repeat"] else ": the first time"),
        "template": str(example["template"]),
        "order key": f"{keys.order_row} under the task's {keys.order_task}: cap and template follow it",
        "place key": f"{keys.place_row} under the task's {keys.place_task}: the position among all examples",
        "rate": rate if found.split == "train" else "every validation row, once",
    }
    for name, line in lines.items():
        typer.echo(f"{name}: {line}")
    for side, text in (("inputs", template.inputs), ("targets", template.targets)):
        if text is not None:
            typer.secho(f"\n{side} of template {template.number}", fg="cyan", bold=True)
            typer.echo(text)
    for side in ("prompt", "completion"):
        typer.secho(f"\n{side}", fg="cyan", bold=True)
        typer.echo(example[side])
    for sentence in found.unknown:
        typer.secho(f"\nNot known: {sentence}", fg="yellow")


def _source_line(source: "UpstreamRow") -> str:
    """`aps/super_glue (rte) at 3de24cf8022e, split train, file rte/train.parquet`."""
    parts = [f"{source.kind}: {source.repo} ({source.config}) at {source.commit}"]
    if source.split:
        parts.append(f"split {source.split}")
    elif source.splits:
        parts.append(f"one of the splits {', '.join(source.splits)}")
    if len(source.files) == 1:
        parts.append(f"file {source.files[0]}")
    elif source.files:
        parts.append(f"one of {len(source.files)} files, {source.files[0]} to {source.files[-1]}")
    return ", ".join(parts)


def _row_line(source: "UpstreamRow", row: int) -> str:
    before = "not known of the split" if source.row is None else f"{source.row:,} of the split"
    sample = f" (of some row groups; the split has {source.sample_of:,} rows)" if source.sample_of else ""
    return f"{before}{sample}, {row:,} after preprocessing"


_LONGEST = 400


def print_preview(shown: "Preview") -> None:
    """Prints in color on a terminal. A line `→` separates each prompt from its target."""
    typer.secho(f"# {shown.task.name}, row {shown.index}", bold=True)
    for column, value in (shown.raw or {}).items():
        line = repr(value)
        typer.secho(
            f"{column}: {line if len(line) <= _LONGEST else line[: _LONGEST - 1] + '…'}", fg="bright_black"
        )
    for number, (kind, prompt, target) in enumerate(shown.prompts):
        typer.secho(f"\n[{number}]{' inverted' if kind == 'inverted' else ''}", fg="cyan", bold=True)
        typer.echo(prompt)
        typer.echo("→")
        typer.secho(target, fg="green")
