"""The commands that write the layouts of other programs and dataset repositories."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flanbuild.artifacts.executor import JOBS
from flanbuild.cli.console import local_path, progress
from flanbuild.declare.project import find_mixture
from flanbuild.errors import DeclarationError

if TYPE_CHECKING:
    from flanbuild.export.record import ExportRecord


_SIGN_HELP = "File of a private Ed25519 key (PEM) that signs the statement of provenance (hub)."


def export(
    mixture: Annotated[
        Path, typer.Argument(metavar="DIR", help="Mixture folder.", callback=local_path("DIR"))
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="LAYOUT",
            help="Layout to write: parquet, jsonl, messages, alpaca, seq2seq; tokens, packed, megatron, olmo-core; "
            "hub (what `publish` writes); lm-eval.",
            show_default="all under `views` of the mixture file",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help="Folder, or URL such as s3://bucket/name or hf://datasets/USER/NAME; without --to a layout is written "
            "to OUT/LAYOUT.",
            show_default="exports/NAME beside `mixtures/NAME`",
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OLD=NEW",
            help="New name of a column (parquet, jsonl); several are separated by commas.",
            show_default="nothing",
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Tokenizer (tokens, packed, megatron, olmo-core): a folder or a name on the hub."),
    ] = None,
    seq_length: Annotated[
        int | None, typer.Option(help="Maximum tokens per sequence.", show_default="2048")
    ] = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the evaluation sets (lm-eval), which `flanbuild evalset` makes.",
            show_default="data/evaluation",
        ),
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(min=1, help="Rows per task, each under every template (lm-eval).", show_default="all"),
    ] = None,
    templates: Annotated[
        int | None,
        typer.Option(min=1, help="Templates per task, the first ones (lm-eval).", show_default="all"),
    ] = None,
    date: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="Date of publication (hub).", show_default="none"),
    ] = None,
    sign: Annotated[Path | None, typer.Option(metavar="KEY", help=_SIGN_HELP, show_default="none")] = None,
    jobs: Annotated[
        int, typer.Option(min=1, envvar="FLANBUILD_JOBS", help="Number of files to write at once.")
    ] = JOBS,
) -> None:
    """Write a mixture, or what it holds out, in the layout of another program.

    Without --to, the layouts that `views` of the mixture file names, each with the options that stand there.
    `lm_eval --include_path OUT --tasks flanbuild` then runs an export for lm-evaluation-harness.
    """
    from flanbuild.export.view import ExportRequest
    from flanbuild.export.views import export as run

    options: dict[str, Any] = {
        "rename": _names(rename or []),
        "tokenizer": tokenizer,
        "seq_length": seq_length,
        "date": date,
        "sign": sign,
        "evaluation": evaluation,
        "examples": examples,
        "templates": templates,
    }
    folder = mixture.absolute()
    place = out or str(folder.parent.parent / "exports" / folder.name)
    if to is None:
        _export_declared(mixture, {name for name, value in options.items() if value}, place, jobs)
        return
    place = place if out else f"{place}/{to}"
    _print_counts(run(ExportRequest(mixture=mixture, jobs=jobs, **options), to, place, progress), place)


def _export_declared(folder: Path, given: set[str], out: str, jobs: int) -> None:
    """Writes what the mixture's file declares under `views`."""
    from flanbuild.artifacts.records import MANIFEST, Manifest, read_record
    from flanbuild.export.views import export_declared

    if given:
        option = min(given).replace("_", "-")
        raise DeclarationError(f"--{option}: without --to, options stand under `views` of the mixture file.")
    declared = find_mixture(read_record(folder / MANIFEST, Manifest).name)
    if not declared.views:
        raise DeclarationError(f"{declared.path}: it declares no `views`; name a layout with --to.")
    for place, record in export_declared(folder, declared.views, out, jobs, progress):
        _print_counts(record, place)


def publish(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Mixture or model folder.", callback=local_path("DIR"))
    ],
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT",
            help="Folder, hf://datasets/USER/NAME for a mixture, hf://USER/NAME for a model, or fsspec URL to write.",
        ),
    ],
    date: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="Date of publication of a mixture.", show_default="none"),
    ] = None,
    mixture: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the mixture that a model was trained on.", show_default="data/mixtures/NAME"
        ),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(help="Folder that `evaluate` wrote for a model.", show_default="no evaluation"),
    ] = None,
    sign: Annotated[Path | None, typer.Option(metavar="KEY", help=_SIGN_HELP, show_default="none")] = None,
    jobs: Annotated[
        int, typer.Option(min=1, envvar="FLANBUILD_JOBS", help="Number of files to write at once.")
    ] = JOBS,
) -> None:
    """Write a mixture as a dataset repository, or a trained model as a model repository.

    A mixture becomes Parquet, dataset card, Croissant, provenance and manifest; a model folder, which has a training.json,
    becomes safetensors, tokenizer, model card, provenance and the manifest of its mixture. On the hub it is one commit, in
    a repository that is private if it is new. `flanbuild verify` checks the folder, also after a download.
    """
    from flanbuild.artifacts.records import TRAINING
    from flanbuild.export.view import ExportRequest
    from flanbuild.export.views import export as run

    if (folder / TRAINING).is_file():
        _publish_model(folder, out, date, mixture, scores, sign)
        return
    for option, value in (("mixture", mixture), ("scores", scores)):
        if value:
            raise DeclarationError(
                f"--{option}: {folder} has no {TRAINING}, so it is no model that was trained here."
            )
    request = ExportRequest(mixture=folder, jobs=jobs, date=date, sign=sign)
    _print_counts(run(request, "hub", out, progress), out)


def _publish_model(
    model: Path, out: str, date: str | None, mixture: Path | None, scores: Path | None, sign: Path | None
) -> None:
    from flanbuild.artifacts.addresses import Addresses
    from flanbuild.artifacts.records import TRAINING, read_record
    from flanbuild.export.model import ModelRequest, publish_model
    from flanbuild.model.record import TrainingRecord

    if date:
        raise DeclarationError("--date: a model has no date of publication.")
    training = read_record(model / TRAINING, TrainingRecord)
    usual = Addresses(Path("data")).mixture(training.mixture.name, training.holdout)
    request = ModelRequest(model=model, mixture=mixture or usual, scores=scores, sign=sign)
    record = publish_model(request, out)
    typer.echo(f"{out}: {len(record.files)} files of a model trained on {record.mixture.name}.")


def _print_counts(record: "ExportRecord", out: str) -> None:
    for name, split in record.splits.items():
        counts = [f"{split.rows:,} examples"]
        if split.sequences is not None:
            counts.append(f"{split.sequences:,} sequences")
        if split.tokens is not None:
            counts.append(f"{split.tokens:,} tokens, {split.completion_tokens:,} with loss")
            counts.append(f"{split.truncated_prompts:,} prompts truncated")
            counts.append(f"{split.left_out:,} examples left out because their completion is too long")
        typer.echo(f"{out}: {name}: {'; '.join(counts)}.")
    if record.tasks:
        rows = sum(task.rows * len(task.templates) for task in record.tasks.values())
        typer.echo(f"{out}: {rows:,} rows of {len(record.tasks)} tasks; {len(record.left_out)} left out.")


def _names(renames: list[str]) -> dict[str, str]:
    """`["prompt=input,completion=output"]` as a mapping."""
    names = {}
    for pair in ",".join(renames).split(",") if renames else []:
        old, equals, new = pair.partition("=")
        if not (old and equals and new):
            raise DeclarationError(f"--rename {pair}: expected OLD=NEW, such as prompt=input.")
        names[old] = new
    return names
