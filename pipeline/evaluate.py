"""In: a model, its mixture, the evaluation sets. Out: scores.json, templates.csv, predictions.arrow.

python -m pipeline.evaluate --model models/nli --mixture data/mixtures/flan2021-without-nli \\
    --evaluation data/evaluation --out reports/nli
"""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import COMMAND, exit_on_error, options, progress
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.run import evaluate

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__, **COMMAND)
@exit_on_error()
@options(EvaluateConfig)
def main(
    model: Annotated[
        str, typer.Option(help="Folder that pipeline.train wrote, other model folder, or name on the hub.")
    ],
    mixture: Annotated[Path, typer.Option(help="Mixture folder whose held-out tasks are evaluated.")],
    evaluation: Annotated[Path, typer.Option(help="Folder of the evaluation sets.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    *,
    config: EvaluateConfig,
) -> None:
    """Scores the model, and the one it was trained from, on every held-out task under every template."""
    evaluate(model, mixture, evaluation, out, config, progress)


if __name__ == "__main__":
    app()
