"""Runs of studies as `evaluate` leaves them, with answers of one's choice."""

from pathlib import Path

import pyarrow as pa
from evaluation_folder import model_run, score_record

from flanbuild.artifacts.arrow import write_table
from flanbuild.artifacts.records import SCORES, write_record
from flanbuild.evaluation.record import MetricScores, TemplateScores
from flanbuild.evaluation.rows import PREDICTIONS
from flanbuild.study.declaration import Point, Run, Study

OPTIONS = ["yes", "no"]


def study(points: dict[str, list[str]], source: str = "sample") -> Study:
    """Label → names of its runs."""
    declared = (
        Point(label, tuple(Run(name, "nli", {}, "") for name in names)) for label, names in points.items()
    )
    return Study("templates", "Templates per task", "templates", "nli", source, tuple(declared))


def write_run(
    out: Path,
    name: str,
    right: dict[str, list[bool]],
    *,
    seen: dict[str, list[bool]] | None = None,
    sets: dict[str, str] | None = None,
    config: dict[str, int] | None = None,
    first_row: int = 0,
    constant: tuple[str, ...] = (),
) -> None:
    """The folder of a run. `right`: held-out task → whether each row was answered rightly, under its one template."""
    folder = out / "runs" / name
    folder.mkdir(parents=True)
    splits = {"test": right, "dev": seen or {}}
    tables = [
        _predictions(task, split, answers, first_row)
        for split, tasks in splits.items()
        for task, answers in tasks.items()
    ]
    write_table(folder / "predictions.arrow", pa.concat_tables(tables))
    digests = {task: {"test": (sets or {}).get(task, "1" * 32)} for task in right}
    constants = {task: {"yes": 1} for task in constant}
    record = score_record(
        config={"examples": 20, **(config or {})},
        evaluation_sets=digests,
        models={"tuned": model_run(constant=constants)},
        scores={"nli": {task: _scores(answers) for task, answers in right.items()}},
        seen={"misc": {task: _scores(answers) for task, answers in (seen or {}).items()}},
        metrics=dict.fromkeys([*right, *(seen or {})], ("accuracy",)),
    )
    write_record(folder / SCORES, record)


def _predictions(task: str, split: str, right: list[bool], first_row: int) -> pa.Table:
    count = len(right)
    return pa.table(
        {
            "model": ["tuned"] * count,
            "cluster": ["nli"] * count,
            "task": [task] * count,
            "split": [split] * count,
            "row": range(first_row, first_row + count),
            "template": [0] * count,
            "prediction": ["yes" if one else "no" for one in right],
            "answer": ["yes"] * count,
            "options": [OPTIONS] * count,
            "logliks": [[0.0, 0.0]] * count,
        },
        schema=PREDICTIONS,
    )


def _scores(right: list[bool]) -> dict[str, MetricScores]:
    mean = 100 * sum(right) / len(right)
    tuned = TemplateScores(
        mean=mean, sd=0, stderr=None, best=mean, best_template=0, worst=mean, worst_template=0, templates=1
    )
    return {"accuracy": MetricScores(rows=len(right), tuned=tuned, majority=55.0)}
