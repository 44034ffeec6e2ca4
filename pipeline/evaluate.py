"""In: a model and the rows its mixture held out. Out: scores.json, templates.csv, predictions.arrow.

python pipeline/evaluate.py --model models/nli --mixture data/mixtures/flan2021-nli \\
    --rendered data/rendered --out reports/nli
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
        str, typer.Option(help="A folder that train.py wrote, any model folder, or a name on the hub.")
    ],
    mixture: Annotated[Path, typer.Option(help="The mixture whose held-out clusters are asked.")],
    rendered: Annotated[Path, typer.Option(help="Where the rendered evaluation rows lie.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
    *,
    config: EvaluateConfig,
) -> None:
    """Asks the model, and the one it was trained from, every held-out task under every template."""
    evaluate(model, mixture, rendered, out, config, progress)


if __name__ == "__main__":
    app()
