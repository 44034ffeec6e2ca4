"""In: the settings of training. Out: a file that identifies the model and the tokenizer that training starts from.

python -m pipeline.base --out data/base.json --model models/base.gguf
"""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.artifacts.files import write_json
from flanbuild.cli.console import COMMAND, exit_on_error, options
from flanbuild.training.base import base_identity
from flanbuild.training.config import TrainConfig

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__, **COMMAND)
@exit_on_error()
@options(TrainConfig)
def main(
    out: Annotated[Path, typer.Option(help="File to write.")],
    *,
    config: TrainConfig,
) -> None:
    """Identifies the base model by digest or commit, so that a changed one trains again."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, base_identity(config))


if __name__ == "__main__":
    app()
