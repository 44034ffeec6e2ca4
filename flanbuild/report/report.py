"""The report over evaluations: a page, the same in Markdown with plots, and their figures for programs.

`report.html` is one page for readers; `report.md` has the tables for terminals and reviews, with SVG files beside it;
`scores.csv` has the same figures for programs; `tasks.csv`, `spread.csv`, `training.csv` and `validation.csv` are the
series that DVC plots. Equal inputs give equal bytes.
"""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from flanbuild.artifacts.files import locked, staged, write_json
from flanbuild.errors import require
from flanbuild.evaluation.record import MetricScores
from flanbuild.evaluation.results import Row, metrics, spread_rows, task_rows
from flanbuild.page.frame import MODULES, cell, picture
from flanbuild.report import tables
from flanbuild.report.evaluations import Evaluation, read_evaluations
from flanbuild.report.markdown import losses_name, markdown, spread_name

_WRITTEN = (
    "report.html",
    "report.md",
    "scores.csv",
    "spread-*.svg",
    "losses*.svg",
    "spread-*.png",
    "losses.png",
)
"""Files of an earlier report, which a new one replaces although it has fewer figures."""
_LOSSES = ("training.csv", "validation.csv")


class ReportTable(NamedTuple):
    """A table of the report, as `cli.table.print_table` takes it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def report(folders: Iterable[Path], out: Path) -> list[ReportTable]:
    """Writes the folder `out` and returns the tables that a terminal shows. Ignores `out` among `folders`.

    Raises ArtifactError if a folder holds no evaluation, DeclarationError if no folder is given or if evaluations
    cannot be compared, and FlanbuildError if the extra `report` is not installed.
    """
    require("`flanbuild report`", "report", MODULES)
    from flanbuild.report.page import report_page

    evaluations = read_evaluations(
        folder for folder in folders if folder.resolve() != out.resolve() and folder.suffix != ".lock"
    )
    with locked(out), staged(out, _WRITTEN) as folder:
        (folder / "report.html").write_text(report_page(evaluations), encoding="utf-8")
        (folder / "report.md").write_text(markdown(evaluations), encoding="utf-8")
        _write_rows(folder / "scores.csv", _scores(evaluations))
        for name, series in _plotted(evaluations).items():
            _write_rows(folder / name, series)
        _draw(evaluations, folder)
    return _printed(evaluations)


def write_metrics(evaluation: Path, out: Path) -> None:
    """Writes the `metrics.json` of one evaluation. Raises ArtifactError if the folder holds no evaluation."""
    (read,) = read_evaluations([evaluation])
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, metrics(read.record))


def _printed(evaluations: Sequence[Evaluation]) -> list[ReportTable]:
    found = [("", tables.evaluations_table(evaluations))] if len(evaluations) > 1 else []
    for evaluation in evaluations:
        own = [
            table
            for kind in (tables.HELD_OUT, tables.TRAINED)
            for table in tables.score_tables(evaluation, kind)
        ]
        contamination = tables.contamination_table(evaluation.record.contamination)
        own += [contamination] if contamination.rows else []
        found += [(f"{evaluation.name}: ", table) for table in own]
    return [
        ReportTable(
            prefix + table.caption, table.header, [[cell(value) for value in row] for row in table.rows]
        )
        for prefix, table in found
    ]


def _scores(evaluations: Sequence[Evaluation]) -> list[Row]:
    """One row per figure: its task and metric, whose it is (tuned, untuned, …), which one (mean, sd, …), its value."""
    return [
        {"evaluation": e.name, "kind": kind, "cluster": cluster, "task": task, "metric": metric, **row}
        for e in evaluations
        for kind, clusters in (("held out", e.record.scores), ("trained on", e.record.seen))
        for cluster, tasks in clusters.items()
        for task, metrics in tasks.items()
        for metric, scores in metrics.items()
        for row in _flat(scores)
    ]


def _flat(scores: MetricScores) -> list[Row]:
    return [
        {"of": source, "figure": name, "value": str(value)}
        for source, figures in scores.model_dump(exclude_none=True).items()
        for name, value in (
            figures.items()
            if isinstance(figures, dict)
            else [("count" if source == "rows" else "mean", figures)]
        )
    ]


def _plotted(evaluations: Sequence[Evaluation]) -> dict[str, list[Row]]:
    """File name → rows, each with the name of its evaluation."""
    series = {
        evaluation.name: {
            "tasks.csv": task_rows(evaluation.record),
            "spread.csv": spread_rows(evaluation.record, evaluation.series("templates.csv")),
            **{name: evaluation.series(name) for name in _LOSSES},
        }
        for evaluation in evaluations
    }
    return {
        file: [{"evaluation": name, **row} for name, files in series.items() for row in files[file]]
        for file in ("tasks.csv", "spread.csv", *_LOSSES)
    }


def _write_rows(path: Path, rows: Sequence[Row]) -> None:
    if not rows:
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _draw(evaluations: Sequence[Evaluation], folder: Path) -> None:
    """The plots of `report.md`."""
    from flanbuild.report import charts
    from flanbuild.report.page import spread_of

    for evaluation in evaluations:
        for cluster, chart in spread_of(evaluation).items():
            (folder / spread_name(evaluation, cluster)).write_text(picture(chart), encoding="utf-8")
        if training := evaluation.series("training.csv"):
            chart = charts.losses(training, evaluation.series("validation.csv"))
            (folder / losses_name(evaluation)).write_text(picture(chart), encoding="utf-8")
