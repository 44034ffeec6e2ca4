"""The evaluations of several hold-outs on one page, with plots.

`report.md` has a table for each; `scores.csv` the same figures for a program; `spread.csv`, `training.csv`
and `validation.csv` are the series that DVC plots, and the PNG files show them. Equal inputs give equal
bytes.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from flanbuild.artifacts.files import read_json, staged
from flanbuild.errors import ArtifactError, DeclarationError, require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEADER = ("task", "metric", "tuned", "best", "worst", "untuned", "majority", "random", "FLAN 137B")
_NONE = "–"
_FLAGS = {"table": "", "mean": "*", "recalled": "**"}
_NOTES = """\
Tuned and untuned: mean over templates ± standard deviation; best and worst: over templates, on the rows
evaluated. Majority: always the most common answer. Random: a fair draw among the options. The mean of a
cluster is that of the first metric of each task, where it is a percentage. FLAN 137B is the paper's model, a
thousand times and more the size of a small one: mean ± standard deviation. `*` agrees with a published mean
of its cluster, `**` is recalled and not checked; the others were seen in a table.
"""
_NO_PERCENTAGE = frozenset({"edit_distance", "pearson", "spearman"})
_SERIES = {"templates.csv": "spread.csv", "training.csv": "training.csv", "validation.csv": "validation.csv"}

Row = dict[str, str]


@dataclass(frozen=True)
class Evaluation:
    """A folder that `evaluate` wrote, by the name of the folder."""

    name: str
    folder: Path
    document: dict[str, Any]

    def series(self, name: str) -> list[Row]:
        """The rows of one of its CSV files; none if it has no such file."""
        path = self.folder / name
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def report(folders: Iterable[Path], out: Path) -> list[tuple[str, list[Sequence[str]]]]:
    """Writes the folder `out`; returns its tables as (title, rows of HEADER). Ignores `out` among `folders`."""
    require("`flanbuild report`", "report", ("matplotlib",))
    evaluations = _read([folder for folder in folders if folder.resolve() != out.resolve()])
    with staged(out) as folder:
        (folder / "report.md").write_text(_page(evaluations), encoding="utf-8")
        _write_rows(folder / "scores.csv", _scores(evaluations))
        for theirs, ours in _SERIES.items():
            _write_rows(folder / ours, _labelled(evaluations, theirs))
        _draw(evaluations, folder)
    return [
        (f"{evaluation.name}: {cluster}, held out", list(rows))
        for evaluation in evaluations
        for cluster, rows in _tables(evaluation)
    ]


def _read(folders: Sequence[Path]) -> list[Evaluation]:
    if not folders:
        raise DeclarationError("report: no folder of an evaluation was given.")
    missing = [folder for folder in folders if not (folder / "scores.json").is_file()]
    if missing:
        raise ArtifactError(f"{missing[0]}: no scores.json in it; `flanbuild evaluate` writes one.")
    return [
        Evaluation(folder.name, folder, read_json(folder / "scores.json")) for folder in sorted(set(folders))
    ]


def _tables(evaluation: Evaluation) -> list[tuple[str, list[list[str]]]]:
    """(cluster, rows under HEADER), the last row being the mean of the cluster."""
    metrics = evaluation.document["metrics"]
    return [
        (
            cluster,
            [
                *(
                    _cells(task, metric, found[metric])
                    for task, found in tasks.items()
                    for metric in metrics[task]
                ),
                *_mean_of(tasks, metrics),
            ],
        )
        for cluster, tasks in evaluation.document["scores"].items()
    ]


def _cells(task: str, metric: str, figures: dict[str, Any]) -> list[str]:
    tuned, untuned, paper = figures["tuned"], figures.get("untuned"), figures.get("paper")
    return [
        task,
        metric,
        _spread(tuned),
        f"{tuned['best']:.1f}",
        f"{tuned['worst']:.1f}",
        _spread(untuned) if untuned else _NONE,
        _figure(figures.get("majority")),
        _figure(figures.get("random")),
        f"{_spread(paper)}{_FLAGS[paper['checked']]}" if paper else _NONE,
    ]


def _mean_of(tasks: dict[str, Any], metrics: dict[str, list[str]]) -> list[list[str]]:
    firsts = [
        found[metrics[task][0]] for task, found in tasks.items() if metrics[task][0] not in _NO_PERCENTAGE
    ]
    if len(firsts) < 2:
        return []
    shown = [("tuned", name) for name in ("mean", "best", "worst")]
    shown += [(of, "mean") for of in ("untuned", "majority", "random", "paper")]
    return [[f"mean of {len(firsts)} tasks", "", *(_average(firsts, *place) for place in shown)]]


def _average(tasks: Sequence[dict[str, Any]], of: str, figure: str) -> str:
    """Of one figure over tasks; nothing where a task hasn't got it."""
    found = [figures.get(of) for figures in tasks]
    values = [value.get(figure) if isinstance(value, dict) else value for value in found]
    known = [value for value in values if value is not None]
    return _figure(fmean(known)) if len(known) == len(values) else _NONE


def _spread(figures: dict[str, float]) -> str:
    return f"{figures['mean']:.1f} ± {figures['sd']:.1f}"


def _figure(value: float | None) -> str:
    return _NONE if value is None else f"{value:.1f}"


def _page(evaluations: Sequence[Evaluation]) -> str:
    parts = ["# Zero-shot scores on held-out clusters", _NOTES.strip()]
    for evaluation in evaluations:
        document = evaluation.document
        parts.append(f"## {evaluation.name}")
        parts.append(f"Mixture `{document['mixture']['name']}`, digest `{document['mixture']['digest']}`.")
        for cluster, rows in _tables(evaluation):
            parts += [
                f"### {cluster}",
                _markdown(rows),
                f"![Spread over templates]({_spread_name(evaluation, cluster)})",
            ]
        if document["not_evaluated"]:
            parts.append(
                "\n".join(["Not evaluated:", *(f"- {k}: {v}" for k, v in document["not_evaluated"].items())])
            )
        cut = [
            f"- {role}, {task}: {n}"
            for role, tasks in document["cut_prompts"].items()
            for task, n in tasks.items()
        ]
        if cut:
            parts.append("\n".join(["Prompts that lost their beginning to fit the model:", *cut]))
    if any(evaluation.series("training.csv") for evaluation in evaluations):
        parts += ["## Losses", "![Losses](losses.png)"]
    return "\n\n".join(parts) + "\n"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", "---", *(["---:"] * (len(HEADER) - 2))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADER, rule, *rows))


def _scores(evaluations: Sequence[Evaluation]) -> list[Row]:
    """One row a figure: where it is, whose it is (tuned, untuned, …), which (mean, sd, …), its value."""
    rows: list[Row] = []
    for evaluation in evaluations:
        for cluster, tasks in evaluation.document["scores"].items():
            for task, metrics in tasks.items():
                for metric, figures in metrics.items():
                    place = {
                        "evaluation": evaluation.name,
                        "cluster": cluster,
                        "task": task,
                        "metric": metric,
                    }
                    rows += [{**place, **row} for row in _flat(figures)]
    return rows


def _flat(figures: dict[str, Any]) -> list[Row]:
    return [
        {"of": of, "figure": name, "value": str(value)}
        for of, found in figures.items()
        for name, value in (found.items() if isinstance(found, dict) else [("mean", found)])
    ]


def _labelled(evaluations: Sequence[Evaluation], name: str) -> list[Row]:
    return [{"evaluation": e.name, **row} for e in evaluations for row in e.series(name)]


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
        for cluster, tasks in evaluation.document["scores"].items():
            rows = [row for row in evaluation.series("templates.csv") if row["cluster"] == cluster]
            firsts = {task: evaluation.document["metrics"][task][0] for task in tasks}
            height = 1.2 + 0.45 * len(tasks)
            _save(
                folder / _spread_name(evaluation, cluster),
                height,
                partial(_dots, rows=rows, tasks=tasks, firsts=firsts),
            )
    if any(evaluation.series("training.csv") for evaluation in evaluations):
        _save(folder / "losses.png", 4.0, partial(_curves, evaluations=evaluations))


def _dots(axes: "Axes", rows: Sequence[Row], tasks: dict[str, Any], firsts: dict[str, str]) -> None:
    """A line a task: a dot a template, hollow for the untuned model, a bar for the majority."""
    names = list(tasks)
    for role, fill, lift in (("untuned", "none", 0.12), ("tuned", "full", -0.12)):
        dots = [row for row in rows if row["model"] == role and firsts[row["task"]] == row["metric"]]
        places = [names.index(row["task"]) + lift for row in dots]
        axes.plot(
            [float(row["score"]) for row in dots],
            places,
            "o",
            fillstyle=fill,
            color="C0",
            alpha=0.7,
            label=role,
        )
    majority = [tasks[name][firsts[name]]["majority"] for name in names]
    axes.plot(majority, range(len(names)), "|", color="C3", markersize=16, label="majority")
    axes.set_yticks(range(len(names)), [f"{name} ({firsts[name]})" for name in names])
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
    )  # the version of matplotlib is no part of a figure
