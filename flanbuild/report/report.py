"""The evaluations of several hold-outs on one page, with plots.

`report.md` has a table for each; `scores.csv` has the same figures for programs; `tasks.csv`, `spread.csv`,
`training.csv` and `validation.csv` are the series that DVC plots. Equal inputs give equal bytes.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from flanbuild.artifacts.files import locked, staged, write_json
from flanbuild.artifacts.records import SCORES, ContaminationRecord, read_record
from flanbuild.errors import ArtifactError, DeclarationError, require
from flanbuild.evaluation.record import Difference, MetricScores, ScoreRecord, TemplateScores
from flanbuild.evaluation.results import Row, main_scores, metrics, spread_rows, task_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEADER = (
    "task",
    "metric",
    "rows",
    "tuned",
    "tuned, best on dev",
    "untuned",
    "untuned, best on dev",
    "tuned − untuned",
    "majority",
    "random",
    "FLAN 137B",
    "FLAN 137B, best on dev",
)
_CONTAMINATION_HEADER = (
    "training task",
    "held out",
    "rule",
    "rows: item",
    "question",
    "passage only",
    "exact",
    "removed",
    "test rows found",
    "dev rows found",
)
_NONE = "–"
_FLAGS = {"table": "", "mean": "*", "recalled": "**"}
_NOTES = """\
Tuned and untuned: mean over templates ± standard deviation over templates, and in parentheses the standard error over
rows. Best on dev: the score of the template that is best on dev rows. Tuned − untuned: the difference of the means with
its 95 % interval over rows, paired. Majority: always the most common answer of the dev rows. Random: a uniform draw
among the options. The mean of a cluster is that of the first metric of each task, where it is a percentage of 20 rows
or more. FLAN 137B is the paper's model, more than a thousand times the size of a small one: mean ± standard deviation over
templates. `*` agrees with a published mean of its cluster, `**` is recalled and not checked; the others were seen in a
table.
"""
_WRITTEN = ("report.md", "scores.csv", "spread-*.png", "losses.png")
"""Files of an earlier report, which a new one replaces although it has fewer figures."""
_COUNTS = {
    "Prompts that were cut to fit the model:": "truncated_prompts",
    "Pairs of prompt and option that the tokenizer would tokenize in another way as one text:": "border_merges",
    "Tokens that stand for text that the tokenizer cannot spell:": "unknown_tokens",
    "Generated answers that reached the limit of tokens before their end:": "cut_answers",
    "Rows in which two options have the same tokens, so that the first of them always wins:": "equal_options",
}
_LOSSES = ("training.csv", "validation.csv")


class ReportTable(NamedTuple):
    """A table of the report, as `cli.table.print_table` takes it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Evaluation:
    """A folder that `evaluate` wrote. Its name is the folder's."""

    name: str
    folder: Path
    record: ScoreRecord

    def series(self, name: str) -> list[Row]:
        """The rows of one of its CSV files; none if it has no such file."""
        path = self.folder / name
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def report(folders: Iterable[Path], out: Path) -> list[ReportTable]:
    """Writes the folder `out` and returns its tables. Ignores `out` among `folders`.

    Raises ArtifactError if a folder holds no evaluation, DeclarationError if no folder is given.
    """
    require("`flanbuild report`", "report", ("matplotlib",))
    evaluations = _read(
        [folder for folder in folders if folder.resolve() != out.resolve() and folder.suffix != ".lock"]
    )
    with locked(out), staged(out, _WRITTEN) as folder:
        (folder / "report.md").write_text(_page(evaluations), encoding="utf-8")
        _write_rows(folder / "scores.csv", _scores(evaluations))
        for name, series in _plotted(evaluations).items():
            _write_rows(folder / name, series)
        _draw(evaluations, folder)
    return [table for evaluation in evaluations for table in _printed(evaluation)]


def write_metrics(evaluation: Path, out: Path) -> None:
    """Writes the `metrics.json` of one evaluation. Raises ArtifactError if the folder holds no evaluation."""
    (read,) = _read([evaluation])
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, metrics(read.record))


def _read(folders: Sequence[Path]) -> list[Evaluation]:
    if not folders:
        raise DeclarationError("report: no folder of an evaluation was given.")
    missing = [folder for folder in folders if not (folder / SCORES).is_file()]
    if missing:
        raise ArtifactError(f"{missing[0]}: no {SCORES} in it; `flanbuild evaluate` writes one.")
    by_name = {folder.name: folder for folder in sorted(set(folders))}
    if twice := [folder for folder in sorted(set(folders)) if by_name[folder.name] != folder]:
        raise DeclarationError(
            f"report: {twice[0]} and {by_name[twice[0].name]} have one name, which their plots would share; rename one."
        )
    return [
        Evaluation(name, folder, read_record(folder / SCORES, ScoreRecord))
        for name, folder in sorted(by_name.items())
    ]


def _printed(evaluation: Evaluation) -> list[ReportTable]:
    tables = [
        ReportTable(f"{evaluation.name}: {cluster}, {kind}", HEADER, rows)
        for kind, cluster, rows in _tables(evaluation)
    ]
    if found := _contamination_rows(evaluation.record.contamination):
        tables.append(ReportTable(f"{evaluation.name}: contamination", _CONTAMINATION_HEADER, found))
    return tables


def _tables(evaluation: Evaluation) -> list[tuple[str, str, list[list[str]]]]:
    """(held out or trained on, cluster, rows under HEADER); the last row is the mean of a cluster's tasks."""
    record = evaluation.record
    tables = []
    for kind, clusters in (("held out", record.scores), ("trained on, dev rows", record.seen)):
        for cluster, tasks in clusters.items():
            rows = [
                _cells(task, metric, scores[metric])
                for task, scores in tasks.items()
                for metric in record.metrics[task]
            ]
            tables.append((kind, cluster, rows + _mean_row(main_scores(record, tasks))))
    return tables


def _cells(task: str, metric: str, scores: MetricScores) -> list[str]:
    untuned, paper = scores.untuned, scores.paper
    return [
        task,
        metric,
        str(scores.rows),
        _spread(scores.tuned),
        _figure(scores.tuned.best_on_dev),
        _spread(untuned) if untuned else _NONE,
        _figure(untuned.best_on_dev) if untuned else _NONE,
        _interval(scores.difference) if scores.difference else _NONE,
        _figure(scores.majority),
        _figure(scores.random),
        f"{paper.mean:.1f} ± {paper.sd:.1f}{_FLAGS[paper.checked]}" if paper else _NONE,
        _figure(paper.best) if paper else _NONE,
    ]


def _mean_row(tasks: Sequence[MetricScores]) -> list[list[str]]:
    if len(tasks) < 2:
        return []
    columns: list[list[float | None]] = [
        [task.tuned.mean for task in tasks],
        [task.tuned.best_on_dev for task in tasks],
        [task.untuned.mean if task.untuned else None for task in tasks],
        [task.untuned.best_on_dev if task.untuned else None for task in tasks],
        [task.difference.mean if task.difference else None for task in tasks],
        [task.majority for task in tasks],
        [task.random for task in tasks],
        [task.paper.mean if task.paper else None for task in tasks],
        [task.paper.best if task.paper else None for task in tasks],
    ]
    return [[f"mean of {len(tasks)} tasks", "", "", *map(_average, columns)]]


def _average(values: Sequence[float | None]) -> str:
    """The mean, or nothing where a task has no such figure."""
    known = [value for value in values if value is not None]
    return _figure(fmean(known)) if len(known) == len(values) else _NONE


def _spread(scores: TemplateScores) -> str:
    error = "" if scores.stderr is None else f" ({scores.stderr:.1f})"
    return f"{scores.mean:.1f} ± {scores.sd:.1f}{error}"


def _interval(difference: Difference) -> str:
    if difference.low is None or difference.high is None:
        return f"{difference.mean:+.1f}"
    return f"{difference.mean:+.1f} [{difference.low:+.1f}, {difference.high:+.1f}]"


def _figure(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"


def _page(evaluations: Sequence[Evaluation]) -> str:
    parts = ["# Zero-shot scores on held-out clusters", _NOTES.strip()]
    for evaluation in evaluations:
        record = evaluation.record
        parts.append(f"## {evaluation.name}")
        held_out = ", ".join(record.holdout)
        parts.append(
            f"Mixture `{record.mixture.name}` without {held_out}, digest `{record.mixture.digest}`. {_how(record)}"
        )
        for kind, cluster, rows in _tables(evaluation):
            parts += [f"### {cluster}, {kind}", _markdown(HEADER, rows, names=2)]
            if kind == "held out":
                parts.append(f"![Spread over templates]({_spread_name(evaluation, cluster)})")
        parts += ["### Contamination", *_contamination(record.contamination), *_remarks(record)]
    if any(evaluation.series("training.csv") for evaluation in evaluations):
        parts += ["## Losses", "![Losses](losses.png)"]
    return "\n\n".join(parts) + "\n"


def _how(record: ScoreRecord) -> str:
    """What was run, with which settings: enough to run it again."""
    lines = [f"Protocol {record.protocol}, run on {record.environment.device}.", ""]
    for role, run in record.models.items():
        name = run.name or "model folder"
        weights = ", ".join(f"{file} `{digest[:16]}`" for file, digest in run.weights.items())
        identity = weights or f"commit `{run.revision}`"
        lines.append(f"- {role}: {name}, {identity}, {run.dtype}, options ranked by {run.ranking}")
    settings = ", ".join(
        f"{name} {value}" for name, value in sorted(record.config.items()) if value is not None
    )
    versions = ", ".join(f"{name} {value}" for name, value in sorted(record.environment.versions.items()))
    return "\n".join([*lines, f"- settings: {settings}", f"- versions: {versions}"])


def _contamination(record: ContaminationRecord) -> list[str]:
    """What the mixture's training rows carry of the held-out rows, and what the rule did about it."""
    if not record.references:
        return ["Not searched: nothing is held out, and no other evaluation set is named."]
    looked = sum(count.rows for count in record.references.values())
    if not record.found:
        return [f"No contamination found: no training row carries one of {looked:,} evaluation rows."]
    rows = _contamination_rows(record)
    return [
        f"Training rows that carry some of {looked:,} evaluation rows. Removed: with the rule drop, those with an item or "
        "a question.",
        _markdown(_CONTAMINATION_HEADER, rows, names=3),
    ]


def _contamination_rows(record: ContaminationRecord) -> list[list[str]]:
    """A row under _CONTAMINATION_HEADER for each pair of tasks that match."""
    rows = []
    for match in record.found:
        removed = match.rows if record.rule == "drop" else 0
        found = (match.item, match.question, match.passage, match.exact, removed)
        counts = (*found, match.test_items, match.dev_items)
        rows.append([match.task, match.reference, record.rule, *(f"{count:,}" for count in counts)])
    return rows


def _remarks(record: ScoreRecord) -> list[str]:
    """Lists of what was left out or changed, each with its title; only those that are not empty."""
    lists = {
        "Not evaluated:": [f"- {name}: {reason}" for name, reason in record.not_evaluated.items()],
        "Models left out:": [f"- {role}: {reason}" for role, reason in record.not_asked.items()],
        "Always the same answer:": [
            f"- {role}, {task}: always answers '{text}' under {count} of {_templates(record, task)} templates"
            for role, run in record.models.items()
            for task, answers in run.constant.items()
            for text, count in answers.items()
        ],
        **{
            title: [
                f"- {role}, {task}: {count}"
                for role, run in record.models.items()
                for task, count in getattr(run, field).items()
            ]
            for title, field in _COUNTS.items()
        },
    }
    return ["\n".join([title, *lines]) for title, lines in lists.items() if lines]


def _templates(record: ScoreRecord, task: str) -> int:
    metric = record.metrics[task][0]
    clusters = [*record.scores.values(), *record.seen.values()]
    return next(tasks[task][metric].tuned.templates for tasks in clusters if task in tasks)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]], names: int) -> str:
    """A Markdown table whose first `names` columns are text, the others numbers."""
    rule = ["---"] * names + ["---:"] * (len(header) - names)
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


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


def _spread_name(evaluation: Evaluation, cluster: str) -> str:
    return f"spread-{evaluation.name}-{cluster}.png"


def _draw(evaluations: Sequence[Evaluation], folder: Path) -> None:
    for evaluation in evaluations:
        for cluster, tasks in evaluation.record.scores.items():
            rows = [
                row
                for row in evaluation.series("templates.csv")
                if row["cluster"] == cluster and row["split"] == "test"
            ]
            metrics = {task: evaluation.record.metrics[task][0] for task in tasks}
            majority = [tasks[task][metric].majority or 0.0 for task, metric in metrics.items()]
            height = 1.2 + 0.45 * len(tasks)
            draw = partial(_dots, rows=rows, metrics=metrics, majority=majority)
            _save(folder / _spread_name(evaluation, cluster), height, draw)
    if any(evaluation.series("training.csv") for evaluation in evaluations):
        _save(folder / "losses.png", 4.0, partial(_curves, evaluations=evaluations))


def _dots(axes: "Axes", rows: Sequence[Row], metrics: dict[str, str], majority: Sequence[float]) -> None:
    """A line per task: a dot per template, hollow for the untuned model, and a bar for the majority."""
    names = list(metrics)
    for role, fill, lift in (("untuned", "none", 0.12), ("tuned", "full", -0.12)):
        dots = [row for row in rows if row["model"] == role and metrics[row["task"]] == row["metric"]]
        lines = [names.index(row["task"]) + lift for row in dots]
        axes.plot(
            [float(row["score"]) for row in dots],
            lines,
            "o",
            fillstyle=fill,
            color="C0",
            alpha=0.7,
            label=role,
        )
    axes.plot(majority, range(len(names)), "|", color="C3", markersize=16, label="majority")
    axes.set_yticks(range(len(names)), [f"{name} ({metric})" for name, metric in metrics.items()])
    axes.set_xlabel("score of each template")
    axes.invert_yaxis()
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncol=3, frameon=False)


def _curves(axes: "Axes", evaluations: Sequence[Evaluation]) -> None:
    for colour, evaluation in enumerate(evaluations):
        for name, style, label in (("training.csv", "-", evaluation.name), ("validation.csv", "o--", None)):
            rows = evaluation.series(name)
            steps, losses = [int(row["step"]) for row in rows], [float(row["loss"]) for row in rows]
            axes.plot(steps, losses, style, color=f"C{colour % 10}", label=label, alpha=0.8, markersize=3)
    axes.set_xlabel("step")
    axes.set_ylabel("loss on completions; dashed: validation")
    axes.legend(frameon=False)


def _save(path: Path, height: float, draw: Callable[["Axes"], None]) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, height), layout="constrained")
    FigureCanvasAgg(figure)
    draw(figure.add_subplot())
    figure.savefig(
        path, dpi=100, metadata={"Software": None}
    )  # the version of matplotlib does not belong to the figure
