"""Commands that need the `train` extra."""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import print_table, progress
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.training.config import TrainConfig


def train(
    mixture: Annotated[Path, typer.Argument(metavar="DIR", help="A mixture folder.")],
    out: Annotated[Path, typer.Option(help="The model folder to write.")] = Path("models/model"),
    *,
    config: TrainConfig,
) -> None:
    """Train a model on a mixture; called again after a stop, it goes on from the last checkpoint.

    On several GPUs: `accelerate launch pipeline/train.py`.
    """
    from flanbuild.training.run import train as run

    run(mixture, out, config, progress=progress)


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model folder, or a name on the hub.")],
    mixture: Annotated[
        Path, typer.Argument(metavar="DIR", help="The mixture folder whose held-out tasks are asked.")
    ],
    rendered: Annotated[Path, typer.Option(help="Where the rendered evaluation files lie.")] = Path(
        "data/rendered"
    ),
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("reports/evaluation"),
    *,
    config: EvaluateConfig,
) -> None:
    """Ask a model every held-out task, under every template, zero-shot."""
    from flanbuild.evaluation.run import evaluate as run

    run(model, mixture, rendered, out, config, progress)


def report(
    evaluations: Annotated[list[Path], typer.Argument(metavar="DIR", help="Folders that `evaluate` wrote.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")] = Path("reports/summary"),
) -> None:
    """One page of tables and plots over evaluations."""
    from flanbuild.evaluation.report import HEADER
    from flanbuild.evaluation.report import report as run

    for title, rows in run(evaluations, out):
        print_table(title, HEADER, rows)
