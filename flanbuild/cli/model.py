"""Commands that need the `train` extra."""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import local_path, progress
from flanbuild.cli.table import print_table
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.training.config import TrainConfig


def train(
    mixture: Annotated[
        Path, typer.Argument(metavar="DIR", help="Mixture folder.", callback=local_path("DIR"))
    ],
    out: Annotated[Path, typer.Option(help="Model folder to write.", callback=local_path("--out"))] = Path(
        "models/model"
    ),
    *,
    config: TrainConfig,
) -> None:
    """Train a model on a mixture. Called again after an interruption, it continues from the last checkpoint.

    On several GPUs: `accelerate launch -m pipeline.train`.
    """
    from flanbuild.training.run import train as run

    run(mixture, out, config, progress=progress)


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Model folder, or name on the hub.")],
    mixture: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Mixture folder whose held-out tasks are evaluated.",
            callback=local_path("DIR"),
        ),
    ],
    evaluation: Annotated[
        Path,
        typer.Option(
            help="Folder of the evaluation sets, which `flanbuild evalset` makes.",
            callback=local_path("--evaluation"),
        ),
    ] = Path("data/evaluation"),
    out: Annotated[Path, typer.Option(help="Folder to write.", callback=local_path("--out"))] = Path(
        "reports/evaluation"
    ),
    *,
    config: EvaluateConfig,
) -> None:
    """Score a model zero-shot on every held-out task, under every template.

    Called again after an interruption, it continues with the task at which it stopped.
    """
    from flanbuild.evaluation.run import evaluate as run

    run(model, mixture, evaluation, out, config, progress)


def report(
    evaluations: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR",
            help="Folder that `evaluate` wrote; several are compared.",
            callback=local_path("DIR"),
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write.", callback=local_path("--out"))] = Path(
        "reports/summary"
    ),
) -> None:
    """Write a report over evaluations: one HTML page that loads nothing else, the same in Markdown, and CSV files.

    It shows prompts of the evaluation sets, so their licenses apply to it. Evaluations of other protocols, settings or
    rows cannot stand in one report.
    """
    from flanbuild.report.report import report as run

    for table in run(evaluations, out):
        print_table(*table)
