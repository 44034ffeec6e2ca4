"""In: folders that pipeline.evaluate wrote. Out: report.md, scores.csv, the series of the plots and the plots.

python -m pipeline.report reports/nli reports/sentiment --out reports/summary
"""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import exit_on_error
from flanbuild.cli.table import print_table
from flanbuild.evaluation.report import report

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    evaluations: Annotated[list[Path], typer.Argument(help="Folders that pipeline.evaluate wrote.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
) -> None:
    """Writes them on one page and prints the tables."""
    for table in report(evaluations, out):
        print_table(*table)


if __name__ == "__main__":
    app()
