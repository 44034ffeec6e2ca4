"""The table and the plot of each study, and one page of all of them.

    NAME/study.md    the table, with what was held out and scored
    NAME/points.csv  the same figures for programs
    NAME/plot.svg    held-out and trained tasks by point, with 95 % intervals
    studies.html     all of them on one page, which loads nothing else

Equal results give equal bytes.
"""

import csv
from collections.abc import Sequence
from pathlib import Path

from flanbuild.artifacts.files import atomic_path, disk_errors, locked, staged
from flanbuild.page.frame import Table, draw, page
from flanbuild.report.verdict import SOURCES, signed
from flanbuild.study.chart import chart, standalone
from flanbuild.study.results import Estimate, PointResult, StudyResult

PAGE = "studies.html"
_WRITTEN = ("study.md", "points.csv", "plot.svg")
_NONE = "–"


def header(result: StudyResult) -> list[str]:
    """The columns of a study's table."""
    return [
        result.study.axis,
        "held out",
        "difference [95 %]",
        "trained tasks",
        *(["sd over seeds"] if result.seeds > 1 else []),
        "majority",
    ]


def cells(result: StudyResult) -> list[list[str]]:
    """A row for each point."""
    return [
        [
            point.label,
            _with_error(point.held_out),
            _with_interval(point.difference),
            _with_error(point.seen),
            *([_figure(point.seed_sd)] if result.seeds > 1 else []),
            _figure(result.majority),
        ]
        for point in result.points
    ]


def write(results: Sequence[StudyResult], out: Path) -> None:
    """Writes the folder of each study and the page of all of them into `out`."""
    for result in results:
        folder = out / result.study.name
        with locked(folder), staged(folder, _WRITTEN) as staging:
            (staging / "study.md").write_text(_markdown(result), encoding="utf-8")
            (staging / "plot.svg").write_text(standalone(chart(result)), encoding="utf-8")
            with (staging / "points.csv").open("w", newline="", encoding="utf-8") as file:
                rows = [_row(result, point) for point in result.points]
                writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
    with disk_errors(out), atomic_path(out / PAGE) as part:
        part.write_text(_page(results), encoding="utf-8")


def _markdown(result: StudyResult) -> str:
    rows = [header(result), ["---", *["---:"] * (len(header(result)) - 1)], *cells(result)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    parts = [f"# {result.study.desc}", _lead(result), table, "![Scores by point](plot.svg)", *_notes(result)]
    return "\n\n".join(parts) + "\n"


def _page(results: Sequence[StudyResult]) -> str:
    return page(
        "study/studies.html",
        title="Studies",
        studies=[
            {
                "name": result.study.name,
                "title": result.study.desc,
                "lead": _lead(result),
                "plot": draw(chart(result), f"Scores by {result.study.axis}; the table has the numbers"),
                "table": Table(f"Scores by {result.study.axis}", header(result), cells(result)),
                "notes": _notes(result),
            }
            for result in results
        ],
    )


def _lead(result: StudyResult) -> str:
    study = result.study
    return (
        f"Held out: {study.holdout}. {result.rows:,} rows of {len(result.tasks)} tasks are scored under every template, the "
        f"same for each point (digest {result.evaluated[:12]}). Rows: {SOURCES.get(study.source, study.source)}."
    )


def _notes(result: StudyResult) -> list[str]:
    seeds = f" and {result.seeds} seeds" if result.seeds > 1 else ""
    seen = ", ".join(result.seen_tasks)
    trained = (
        f"Trained tasks: the same mean over dev rows of {seen}, which every point trains on."
        if seen
        else "Trained tasks: no task was trained on and scored in every point."
    )
    constant = [
        f"{point.label} ({point.constant} of {len(result.tasks)})"
        for point in result.points
        if point.constant
    ]
    return [
        *([f"Tasks of which all rows get one answer: {', '.join(constant)}."] if constant else []),
        f"Held out: mean over tasks of their main metric, each the mean over templates{seeds}, ± the standard error over "
        "rows. Difference: from the first point, with its 95 % interval; the rows are the same, so they are paired.",
        f"{trained} Majority: always the most common answer of the dev rows of a held-out task.",
    ]


def _row(result: StudyResult, point: PointResult) -> dict[str, str]:
    """A line of points.csv."""
    interval = point.difference.interval if point.difference else None
    figures = {
        "held_out": point.held_out.mean,
        "held_out_stderr": point.held_out.stderr,
        "difference": point.difference.mean if point.difference else None,
        "difference_low": interval[0] if interval else None,
        "difference_high": interval[1] if interval else None,
        "seen": point.seen.mean if point.seen else None,
        "seen_stderr": point.seen.stderr if point.seen else None,
        "seed_sd": point.seed_sd,
        "majority": result.majority,
    }
    named = {"study": result.study.name, "point": point.label, "experiments": " ".join(point.runs)}
    return named | {name: "" if value is None else f"{value:.4f}" for name, value in figures.items()}


def _with_error(estimate: Estimate | None) -> str:
    if estimate is None:
        return _NONE
    return _figure(estimate.mean) + ("" if estimate.stderr is None else f" ± {estimate.stderr:.1f}")


def _with_interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return _NONE
    if estimate.interval is None:
        return signed(estimate.mean)
    low, high = estimate.interval
    return f"{signed(estimate.mean)} [{signed(low)}, {signed(high)}]"


def _figure(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"
