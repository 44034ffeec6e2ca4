"""In: folders that evaluate.py wrote. Out: report.md, scores.csv, the series of the plots and the plots.

python pipeline/report.py reports/nli reports/sentiment --out reports/summary
"""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.console import friendly
from flanbuild.report import report

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@friendly()
def main(
    evaluations: Annotated[list[Path], typer.Argument(help="One folder for each hold-out.")],
    out: Annotated[Path, typer.Option(help="The folder to write.")],
) -> None:
    """Collects them on one page and prints the tables."""
    report(evaluations, out)


if __name__ == "__main__":
    app()
