"""The command that runs studies."""

from pathlib import Path
from typing import Annotated

import typer

from flanbuild.cli.console import local_path
from flanbuild.cli.table import print_table
from flanbuild.progress import log


def study(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="STUDY", help="Studies to run.", show_default="all")
    ] = None,
    file: Annotated[
        Path, typer.Option(help="File that declares the studies.", callback=local_path("--file"))
    ] = Path("studies.yaml"),
    out: Annotated[Path, typer.Option(help="Folder to write.", callback=local_path("--out"))] = Path(
        "reports/studies"
    ),
    set_param: Annotated[
        list[str] | None,
        typer.Option(
            "--set-param",
            "-S",
            metavar="[FILE:]KEY=VALUE",
            help="Parameter of every point that the point itself does not set; may be repeated.",
            show_default="none",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the runs, and run nothing.")] = False,
) -> None:
    """Run the studies that a file declares, as DVC experiments, and write a table and a plot of each.

    Called again, it goes on where it was stopped. The workspace stays as it is.
    """
    from flanbuild.errors import require
    from flanbuild.page.frame import MODULES

    require("`flanbuild study`", "report", MODULES)
    from flanbuild.declare.params import load_params
    from flanbuild.declare.project import task_files
    from flanbuild.study import report
    from flanbuild.study.declaration import load_studies, select
    from flanbuild.study.overrides import parse
    from flanbuild.study.results import results
    from flanbuild.study.run import finished, run_studies, runs_of

    own = map(Path, load_params().own.tasks)
    declared = load_studies(file, task_files(own), parse(set_param or []))
    studies = select(declared, names or [])
    if dry_run:
        runs = runs_of(studies)
        common = [text for text in runs[0].arguments if all(text in run.arguments for run in runs)]
        print_table(
            f"dvc exp run --temp {' '.join(common)}",
            ["name", "overrides of its own"],
            [[run.name, " ".join(text for text in run.arguments if text not in common)] for run in runs],
        )
        return
    run_studies(studies, out)
    found = [results(one, out) for one in finished(declared, out)]
    report.write(found, out)
    for result in found:
        if result.study in studies:
            title = f"{result.study.name}: {result.study.desc}"
            print_table(title, report.header(result), report.cells(result))
    log(f"{out / report.PAGE}: tables and plots of {', '.join(result.study.name for result in found)}.")
