"""In: a mixture folder. Out: a model folder, with metrics.json and the losses in log.csv and validation.csv.

python -m pipeline.train --mixture data/mixtures/flan2021-without-nli --out models/nli --steps 60
accelerate launch -m pipeline.train --mixture … --out … --model org/name --steps 30000 --optimizer adafactor
"""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import COMMAND, exit_on_error, options, progress
from flanbuild.training.config import TrainConfig
from flanbuild.training.run import train

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__, **COMMAND)
@exit_on_error()
@options(TrainConfig)
def main(
    mixture: Annotated[Path, typer.Option(help="Mixture folder.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    work: Annotated[
        Path | None, typer.Option(help="Folder for tokens and checkpoints; by default .work/ beside OUT.")
    ] = None,
    *,
    config: TrainConfig,
) -> None:
    """Trains. Called again after an interruption, it continues from the last checkpoint."""
    train(mixture, out, config, work=work, progress=progress)


if __name__ == "__main__":
    app()
