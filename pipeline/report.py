"""In: a folder that pipeline.evaluate wrote. Out: report.html, report.md, plots and their series; a file of metrics.

python -m pipeline.report reports/holdouts/nli --out reports/pages/nli --metrics metrics/nli.json
"""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import exit_on_error
from flanbuild.cli.table import print_table
from flanbuild.report.report import report, write_metrics

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(help=__doc__)
@exit_on_error()
def main(
    evaluation: Annotated[Path, typer.Argument(help="Folder that pipeline.evaluate wrote.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    metrics: Annotated[Path, typer.Option(help="JSON file to write the main figures to.")],
) -> None:
    """Writes the page and the metrics, and prints the tables."""
    for table in report([evaluation], out):
        print_table(*table)
    write_metrics(evaluation, metrics)


if __name__ == "__main__":
    app()
